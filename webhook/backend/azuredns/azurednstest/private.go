package azurednstest

import (
	"context"
	"net/http"

	azfake "github.com/Azure/azure-sdk-for-go/sdk/azcore/fake"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/privatedns/armprivatedns"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/privatedns/armprivatedns/fake"
)

// privateHalf is the SDK's server half of Azure Private DNS for one call.
func (s *Server) privateHalf(c call) doer {
	if c.operation == "PrivateZones_List" || c.operation == "PrivateZones_ListByResourceGroup" || c.operation == "PrivateZones_Get" {
		return fake.NewPrivateZonesServerTransport(s.privateZones(c))
	}
	return fake.NewRecordSetsServerTransport(s.privateRecords(c))
}

func (s *Server) privateZones(c call) *fake.PrivateZonesServer {
	return &fake.PrivateZonesServer{
		NewListPager: func(o *armprivatedns.PrivateZonesClientListOptions) (resp azfake.PagerResponder[armprivatedns.PrivateZonesClientListResponse]) {
			var top *int32
			if o != nil {
				top = o.Top
			}
			p, err := s.listZones(c, top)
			if err != nil {
				resp.AddError(err)
				return
			}
			resp.AddPage(http.StatusOK, armprivatedns.PrivateZonesClientListResponse{PrivateZoneListResult: armprivatedns.PrivateZoneListResult{Value: typedAll[armprivatedns.PrivateZone](p.entries), NextLink: nextLink(p)}}, nil)
			return
		},
		NewListByResourceGroupPager: func(_ string, o *armprivatedns.PrivateZonesClientListByResourceGroupOptions) (resp azfake.PagerResponder[armprivatedns.PrivateZonesClientListByResourceGroupResponse]) {
			var top *int32
			if o != nil {
				top = o.Top
			}
			p, err := s.listZones(c, top)
			if err != nil {
				resp.AddError(err)
				return
			}
			resp.AddPage(http.StatusOK, armprivatedns.PrivateZonesClientListByResourceGroupResponse{PrivateZoneListResult: armprivatedns.PrivateZoneListResult{Value: typedAll[armprivatedns.PrivateZone](p.entries), NextLink: nextLink(p)}}, nil)
			return
		},
		Get: func(context.Context, string, string, *armprivatedns.PrivateZonesClientGetOptions) (resp azfake.Responder[armprivatedns.PrivateZonesClientGetResponse], fail azfake.ErrorResponder) {
			entry, err := s.getZone(c)
			if err != nil {
				fail.SetError(err)
				return
			}
			resp.SetResponse(http.StatusOK, armprivatedns.PrivateZonesClientGetResponse{PrivateZone: *typed[armprivatedns.PrivateZone](entry)}, nil)
			return
		},
	}
}

func (s *Server) privateRecords(c call) *fake.RecordSetsServer {
	return &fake.RecordSetsServer{
		CreateOrUpdate: func(_ context.Context, _, _ string, _ armprivatedns.RecordType, _ string, set armprivatedns.RecordSet, o *armprivatedns.RecordSetsClientCreateOrUpdateOptions) (resp azfake.Responder[armprivatedns.RecordSetsClientCreateOrUpdateResponse], fail azfake.ErrorResponder) {
			if o == nil {
				o = &armprivatedns.RecordSetsClientCreateOrUpdateOptions{}
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
			resp.SetResponse(putStatus(created), armprivatedns.RecordSetsClientCreateOrUpdateResponse{RecordSet: *typed[armprivatedns.RecordSet](entry)}, nil)
			return
		},
		Delete: func(_ context.Context, _, _ string, _ armprivatedns.RecordType, _ string, o *armprivatedns.RecordSetsClientDeleteOptions) (resp azfake.Responder[armprivatedns.RecordSetsClientDeleteResponse], fail azfake.ErrorResponder) {
			if o == nil {
				o = &armprivatedns.RecordSetsClientDeleteOptions{}
			}
			found, err := s.drop(c, value(o.IfMatch))
			if err != nil {
				fail.SetError(err)
				return
			}
			resp.SetResponse(dropStatus(found), armprivatedns.RecordSetsClientDeleteResponse{}, nil)
			return
		},
		Get: func(context.Context, string, string, armprivatedns.RecordType, string, *armprivatedns.RecordSetsClientGetOptions) (resp azfake.Responder[armprivatedns.RecordSetsClientGetResponse], fail azfake.ErrorResponder) {
			entry, err := s.get(c)
			if err != nil {
				fail.SetError(err)
				return
			}
			resp.SetResponse(http.StatusOK, armprivatedns.RecordSetsClientGetResponse{RecordSet: *typed[armprivatedns.RecordSet](entry)}, nil)
			return
		},
		NewListPager: func(_, _ string, o *armprivatedns.RecordSetsClientListOptions) (resp azfake.PagerResponder[armprivatedns.RecordSetsClientListResponse]) {
			var top *int32
			if o != nil {
				top = o.Top
			}
			p, err := s.list(c, top)
			if err != nil {
				resp.AddError(err)
				return
			}
			resp.AddPage(http.StatusOK, armprivatedns.RecordSetsClientListResponse{RecordSetListResult: armprivatedns.RecordSetListResult{Value: typedAll[armprivatedns.RecordSet](p.entries), NextLink: nextLink(p)}}, nil)
			return
		},
	}
}
