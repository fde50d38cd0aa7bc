package azurednstest

import (
	"context"
	"net/http"

	azfake "github.com/Azure/azure-sdk-for-go/sdk/azcore/fake"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/dns/armdns"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/dns/armdns/fake"
)

// doer is a server half of the SDK.
type doer interface {
	Do(*http.Request) (*http.Response, error)
}

// publicHalf is the SDK's server half of Azure DNS for one call.
func (s *Server) publicHalf(c call) doer {
	if c.operation == "Zones_List" || c.operation == "Zones_ListByResourceGroup" || c.operation == "Zones_Get" {
		return fake.NewZonesServerTransport(s.publicZones(c))
	}
	return fake.NewRecordSetsServerTransport(s.publicRecords(c))
}

func (s *Server) publicZones(c call) *fake.ZonesServer {
	return &fake.ZonesServer{
		NewListPager: func(o *armdns.ZonesClientListOptions) (resp azfake.PagerResponder[armdns.ZonesClientListResponse]) {
			var top *int32
			if o != nil {
				top = o.Top
			}
			p, err := s.listZones(c, top)
			if err != nil {
				resp.AddError(err)
				return
			}
			resp.AddPage(http.StatusOK, armdns.ZonesClientListResponse{ZoneListResult: armdns.ZoneListResult{Value: typedAll[armdns.Zone](p.entries), NextLink: nextLink(p)}}, nil)
			return
		},
		NewListByResourceGroupPager: func(_ string, o *armdns.ZonesClientListByResourceGroupOptions) (resp azfake.PagerResponder[armdns.ZonesClientListByResourceGroupResponse]) {
			var top *int32
			if o != nil {
				top = o.Top
			}
			p, err := s.listZones(c, top)
			if err != nil {
				resp.AddError(err)
				return
			}
			resp.AddPage(http.StatusOK, armdns.ZonesClientListByResourceGroupResponse{ZoneListResult: armdns.ZoneListResult{Value: typedAll[armdns.Zone](p.entries), NextLink: nextLink(p)}}, nil)
			return
		},
		Get: func(context.Context, string, string, *armdns.ZonesClientGetOptions) (resp azfake.Responder[armdns.ZonesClientGetResponse], fail azfake.ErrorResponder) {
			entry, err := s.getZone(c)
			if err != nil {
				fail.SetError(err)
				return
			}
			resp.SetResponse(http.StatusOK, armdns.ZonesClientGetResponse{Zone: *typed[armdns.Zone](entry)}, nil)
			return
		},
	}
}

func (s *Server) publicRecords(c call) *fake.RecordSetsServer {
	return &fake.RecordSetsServer{
		CreateOrUpdate: func(_ context.Context, _, _, _ string, _ armdns.RecordType, set armdns.RecordSet, o *armdns.RecordSetsClientCreateOrUpdateOptions) (resp azfake.Responder[armdns.RecordSetsClientCreateOrUpdateResponse], fail azfake.ErrorResponder) {
			if o == nil {
				o = &armdns.RecordSetsClientCreateOrUpdateOptions{}
			}
			raw, err := rawProperties(set)
			if err != nil {
				fail.SetError(badRequest("%v", err))
				return
			}
			entry, created, err := s.put(c, raw, value(o.IfMatch), value(o.IfNoneMatch))
			if err != nil {
				fail.SetError(err)
				return
			}
			resp.SetResponse(putStatus(created), armdns.RecordSetsClientCreateOrUpdateResponse{RecordSet: *typed[armdns.RecordSet](entry)}, nil)
			return
		},
		Delete: func(_ context.Context, _, _, _ string, _ armdns.RecordType, o *armdns.RecordSetsClientDeleteOptions) (resp azfake.Responder[armdns.RecordSetsClientDeleteResponse], fail azfake.ErrorResponder) {
			if o == nil {
				o = &armdns.RecordSetsClientDeleteOptions{}
			}
			found, err := s.drop(c, value(o.IfMatch))
			if err != nil {
				fail.SetError(err)
				return
			}
			resp.SetResponse(dropStatus(found), armdns.RecordSetsClientDeleteResponse{}, nil)
			return
		},
		Get: func(context.Context, string, string, string, armdns.RecordType, *armdns.RecordSetsClientGetOptions) (resp azfake.Responder[armdns.RecordSetsClientGetResponse], fail azfake.ErrorResponder) {
			entry, err := s.get(c)
			if err != nil {
				fail.SetError(err)
				return
			}
			resp.SetResponse(http.StatusOK, armdns.RecordSetsClientGetResponse{RecordSet: *typed[armdns.RecordSet](entry)}, nil)
			return
		},
		NewListAllByDNSZonePager: func(_, _ string, o *armdns.RecordSetsClientListAllByDNSZoneOptions) (resp azfake.PagerResponder[armdns.RecordSetsClientListAllByDNSZoneResponse]) {
			var top *int32
			if o != nil {
				top = o.Top
			}
			p, err := s.list(c, top)
			if err != nil {
				resp.AddError(err)
				return
			}
			resp.AddPage(http.StatusOK, armdns.RecordSetsClientListAllByDNSZoneResponse{RecordSetListResult: armdns.RecordSetListResult{Value: typedAll[armdns.RecordSet](p.entries), NextLink: nextLink(p)}}, nil)
			return
		},
	}
}

func putStatus(created bool) int {
	if created {
		return http.StatusCreated
	}
	return http.StatusOK
}

func dropStatus(found bool) int {
	if found {
		return http.StatusOK
	}
	return http.StatusNoContent
}
