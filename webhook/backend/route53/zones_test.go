package route53_test

import (
	"strings"
	"testing"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/route53"
	"github.com/spokedns/spokedns/webhook/backend/route53/route53test"
)

func TestZones(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*route53.Config)
		want   string // address of www, or what the error says
		calls  string
	}{
		{"by name alone", func(*route53.Config) {}, `there are 3 hosted zones of this name: ZPRIVATE (private), ZPRIVATE2 (private, "another VPC"), ZPUBLIC (public, "the Internet"); choose one by zoneIDs, zoneType, zoneTags or vpc`, "ListHostedZones"},
		{"by type", func(c *route53.Config) { c.ZoneType = "public" }, "192.0.2.1", "ListHostedZones"},
		{"by type that two have", func(c *route53.Config) { c.ZoneType = "private" }, "there are 2 hosted zones of this name: ZPRIVATE (private), ZPRIVATE2", "ListHostedZones"},
		{"by id", func(c *route53.Config) { c.ZoneIDs = []string{"/hostedzone/ZPRIVATE"} }, "10.0.0.1", "GetHostedZone"},
		{"by ids", func(c *route53.Config) { c.ZoneIDs = []string{"ZOTHER", "ZPRIVATE2"} }, "10.0.0.2", "GetHostedZone"},
		{"by id that is none", func(c *route53.Config) { c.ZoneIDs = []string{"ZNOWHERE"} }, "there is no such hosted zone with zoneIDs ZNOWHERE", "GetHostedZone"},
		{"by tag", func(c *route53.Config) { c.ZoneTags = []string{"team=dns"} }, "10.0.0.2", "ListTagsForResources"},
		{"by tags", func(c *route53.Config) { c.ZoneTags = []string{"team", "stage=prod"} }, "10.0.0.1", "ListTagsForResources"},
		{"by tag that none has", func(c *route53.Config) { c.ZoneTags = []string{"team=none"} }, "there is no such hosted zone with zoneTags team=none", "ListTagsForResources"},
		{"by VPC", func(c *route53.Config) { c.VPC = "eu-west-1/vpc-2" }, "10.0.0.2", "ListHostedZonesByVPC"},
		{"by VPC in the configured region", func(c *route53.Config) { c.VPC, c.Region = "vpc-1", "eu-west-1" }, "10.0.0.1", "ListHostedZonesByVPC"},
		{"by VPC and id", func(c *route53.Config) { c.VPC, c.ZoneIDs = "vpc-2", []string{"ZPRIVATE", "ZPRIVATE2"} }, "10.0.0.2", "GetHostedZone"},
		{"by VPC that has none", func(c *route53.Config) { c.VPC = "eu-west-1/vpc-3" }, "there is no such hosted zone with vpc eu-west-1/vpc-3", "ListHostedZonesByVPC"},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			s := route53test.New(route53test.Options{PageSize: 2})
			defer s.Close()
			for _, z := range []struct {
				zone    route53test.Zone
				address string
			}{
				{route53test.Zone{ID: "ZPUBLIC", Comment: "the Internet"}, "192.0.2.1"},
				{route53test.Zone{ID: "ZPRIVATE", Private: true, VPCs: []route53test.VPC{{Region: "eu-west-1", ID: "vpc-1"}}, Tags: map[string]string{"team": "web", "stage": "prod"}}, "10.0.0.1"},
				{route53test.Zone{ID: "ZPRIVATE2", Private: true, Comment: "another VPC", VPCs: []route53test.VPC{{Region: "eu-west-1", ID: "vpc-2"}}, Tags: map[string]string{"team": "dns"}}, "10.0.0.2"},
				{route53test.Zone{ID: "ZOTHER", Name: "other.example"}, "192.0.2.9"},
			} {
				if z.zone.Name == "" {
					z.zone.Name = "zone.example"
				}
				s.AddZone(z.zone)
				s.Put(z.zone.ID, recordSet(set("www."+z.zone.Name, "A", "", nil, z.address)))
			}
			config := settings(s)
			c.change(&config)
			b := open(t, config)
			for range 2 {
				sets, err := b.List(t.Context(), "zone.example")
				if err != nil {
					errs := backend.Errors(err)
					if errs[0].Kind != backend.Rejected || errs[0].Zone != "zone.example" || !strings.Contains(err.Error(), c.want) {
						t.Errorf("got %v, want %s", err, c.want)
					}
					continue
				}
				if len(sets) != 1 || sets[0].Values[0] != c.want {
					t.Errorf("got %v, want %s", sets, c.want)
				}
			}
			if s.Counts()[c.calls] == 0 {
				t.Errorf("requests %v, want %s", s.Counts(), c.calls)
			}
		})
	}
}

func TestZonesComeAndGo(t *testing.T) {
	t.Parallel()
	s, b, id, _ := start(t, route53test.Options{})
	list(t, b)
	list(t, b)
	if n := s.Counts()["ListHostedZones"]; n != 1 {
		t.Errorf("zones were listed %d times, want once", n)
	}
	if _, err := b.List(t.Context(), "new.example"); err == nil {
		t.Fatal("a zone that is not there was listed")
	}
	s.AddZone(route53test.Zone{Name: "new.example"})
	if _, err := b.List(t.Context(), "new.example"); err != nil {
		t.Errorf("a new zone is not found at once: %v", err)
	}

	s.RemoveZone(id)
	if _, err := b.List(t.Context(), "zone.example"); backend.KindOf(err) != backend.Rejected || !strings.Contains(err.Error(), "NoSuchHostedZone") {
		t.Errorf("a zone that is gone: %v", err)
	}
	again := s.AddZone(route53test.Zone{Name: "zone.example"})
	list(t, b)
	if err := b.Apply(t.Context(), "zone.example", hosts(1, "192.0.2.1")); err != nil || len(s.Records(again)) != 4 {
		t.Errorf("the zone made anew: %v, %d record sets", err, len(s.Records(again)))
	}
	s.RemoveZone(again)
	err := b.Apply(t.Context(), "zone.example", hosts(3, "192.0.2.1"))
	if errs := backend.Errors(err); len(errs) != 1 || errs[0].Key != (backend.Key{}) || errs[0].Kind != backend.Rejected {
		t.Errorf("apply to a zone that is gone: %v, want one error about the zone", err)
	}
}
