package route53_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/route53"
	"github.com/spokedns/spokedns/webhook/backend/route53/route53test"
)

func raw(name, typ string, values ...string) route53test.RecordSet {
	return route53test.RecordSet{Name: name + ".zone.example", Type: typ, TTL: aws.Int64(300), Values: values}
}

// TestWhatOthersWrite is read in whatever form it is written, and can be changed and deleted.
func TestWhatOthersWrite(t *testing.T) {
	t.Parallel()
	s, b, id, _ := start(t, route53test.Options{})
	sets := func(r route53test.RecordSet, change func(*route53test.RecordSet)) route53test.RecordSet {
		r.SetIdentifier = "blue"
		change(&r)
		return r
	}
	for _, c := range []struct {
		put  route53test.RecordSet
		want backend.RRset
	}{
		{raw(`\052.apps`, "A", "192.0.2.1"), set("*.apps.zone.example", "A", "", nil, "192.0.2.1")},
		{raw(`0\05725`, "PTR", "Host.Example.NET"), set("0/25.zone.example", "PTR", "", nil, "host.example.net")},
		{raw("cname", "CNAME", "LB.Example.net."), set("cname.zone.example", "CNAME", "", nil, "lb.example.net")},
		{raw("elb", "CNAME", elb), set("elb.zone.example", "CNAME", "", attrs("alias", "false"), elb)},
		{raw("v6", "AAAA", "2001:0DB8:0:0:0:0:0:1"), set("v6.zone.example", "AAAA", "", nil, "2001:db8::1")},
		{raw("mx", "MX", "10 Mail.example.net."), set("mx.zone.example", "MX", "", nil, "10 mail.example.net")},
		{raw("text", "TXT", `"a" "b"`, `"\303\274"`, `"ü2"`, `"say \"hi\""`, `"a\\b"`, "bare"), set("text.zone.example", "TXT", "", nil, `a\b`, "ab", "bare", `say "hi"`, "ü", "ü2")},
		{sets(raw("weighted", "A", "192.0.2.1"), func(r *route53test.RecordSet) { r.Weight = aws.Int64(7) }), set("weighted.zone.example", "A", "blue", attrs("weight", "7"), "192.0.2.1")},
		{sets(raw("near", "A", "192.0.2.1"), func(r *route53test.RecordSet) {
			r.GeoProximityLocation = &route53test.GeoProximity{Coordinates: &route53test.Coordinates{Latitude: "+49.20", Longitude: "-074"}}
		}), set("near.zone.example", "A", "blue", attrs("geoproximity-coordinates", "49.2,-74", "geoproximity-bias", "0"), "192.0.2.1")},
		{route53test.RecordSet{Name: "alias.zone.example", Type: "AAAA", AliasTarget: &route53test.Alias{HostedZoneID: "Z32O12XQLNTSW2", DNSName: "dualstack.lb-1.eu-west-1.elb.amazonaws.com."}},
			set("alias.zone.example", "AAAA", "", attrs("alias", "true", "evaluate-target-health", "false"), "dualstack."+elb)},
		{route53test.RecordSet{Name: "odd.zone.example", Type: "A", AliasTarget: &route53test.Alias{HostedZoneID: "Z0PRIVATELINKEXAMPLE0", DNSName: "x.vpce.example-service.com.", EvaluateTargetHealth: true}},
			set("odd.zone.example", "A", "", attrs("alias", "true", "evaluate-target-health", "true", "target-hosted-zone", "Z0PRIVATELINKEXAMPLE0"), "x.vpce.example-service.com")},
	} {
		s.Put(id, c.put)
		c.want.TTL = 5 * time.Minute
		got := list(t, b)
		if diff := cmp.Diff(map[backend.Key]backend.RRset{c.want.Key: c.want}, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", c.want.Key, diff)
			s.Remove(id, c.put.Name, c.put.Type, c.put.SetIdentifier)
			continue
		}
		if again, err := b.Adjust(t.Context(), "zone.example", []backend.RRset{c.want}); err != nil || !cmp.Equal(again, []backend.RRset{c.want}) {
			t.Errorf("%s is adjusted to %v (%v)", c.want.Key, again, err)
		}
		if err := b.Apply(t.Context(), "zone.example", []backend.Change{{Old: &c.want}}); err != nil {
			t.Errorf("delete %s: %v", c.want.Key, err)
		}
		if got := list(t, b); len(got) != 0 {
			t.Errorf("%s was not deleted", c.want.Key)
		}
	}
}

// TestWhatIsNotOurs is not listed, and stays untouched.
func TestWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	s, b, id, _ := start(t, route53test.Options{})
	for _, r := range []route53test.RecordSet{
		raw("caa", "CAA", `0 issue "ca.example.net"`),
		{Name: "policy.zone.example", Type: "A", TrafficPolicyInstanceID: "1", TTL: aws.Int64(60), Values: []string{"192.0.2.1"}},
		{Name: "cidr.zone.example", Type: "A", SetIdentifier: "x", CidrRoutingConfig: &route53test.Cidr{CollectionID: "c", LocationName: "*"}, TTL: aws.Int64(60), Values: []string{"192.0.2.1"}},
		{Name: "mail.zone.example", Type: "MX", AliasTarget: &route53test.Alias{HostedZoneID: id, DNSName: "other.zone.example."}},
		raw(`b\040ad`, "A", "192.0.2.1"),
		raw("broken", "TXT", `"never closed`),
	} {
		s.Put(id, r)
	}
	before := s.Records(id)
	if got := list(t, b); len(got) != 0 {
		t.Errorf("listed: %v", got)
	}
	changes := []backend.Change{}
	for _, r := range []backend.RRset{
		set("caa.zone.example", "CNAME", "", nil, "x.example.net"),
		set("policy.zone.example", "A", "", nil, "192.0.2.2"),
		set("cidr.zone.example", "A", "x", attrs("weight", "1"), "192.0.2.2"),
		set("cidr.zone.example", "A", "", nil, "192.0.2.2"),
	} {
		changes = append(changes, backend.Change{New: &r, Unit: r.String()})
	}
	err := b.Apply(t.Context(), "zone.example", changes)
	for _, e := range backend.Errors(err) {
		if e.Kind != backend.Conflict {
			t.Errorf("%v is %s", e, e.Kind)
		}
	}
	if n := len(backend.Errors(err)); n != len(changes) {
		t.Errorf("%d conflicts, want %d: %v", n, len(changes), err)
	}
	if diff := cmp.Diff(before, s.Records(id)); diff != "" {
		t.Errorf("touched:\n%s", diff)
	}
}

// TestOwnershipOfPoliciesAndAliases: external-dns gives ownership texts the properties of what they own.
func TestOwnershipOfPoliciesAndAliases(t *testing.T) {
	t.Parallel()
	_, b, _, _ := start(t, route53test.Options{})
	asked := []backend.RRset{set("www.zone.example", "CNAME", "blue", attrs("weight", "01"), elb)}
	adjusted, err := b.Adjust(t.Context(), "zone.example", asked)
	if err != nil {
		t.Fatal(err)
	}
	var changes []backend.Change
	for _, r := range adjusted {
		text := set(strings.ToLower(r.Type)+"-www.zone.example", "TXT", r.SetID, r.Attrs, `"heritage=external-dns"`)
		changes = append(changes, backend.Change{New: &r, Unit: r.Name}, backend.Change{New: &text, Unit: r.Name})
	}
	if err := b.Apply(t.Context(), "zone.example", changes); err != nil {
		t.Fatal(err)
	}
	got := list(t, b)
	for _, r := range adjusted {
		if listed := got[r.Key]; !cmp.Equal(listed, r) {
			t.Errorf("listed %v, adjusted %v", listed, r)
		}
	}
	text := got[backend.Key{Name: "a-www.zone.example", Type: "TXT", SetID: "blue"}]
	if !cmp.Equal(text.Attrs, attrs("weight", "1")) {
		t.Errorf("the ownership text has %v", text.Attrs)
	}
	for i := range changes {
		changes[i] = backend.Change{Old: changes[i].New, Unit: changes[i].Unit}
	}
	if err := b.Apply(t.Context(), "zone.example", changes); err != nil || len(list(t, b)) != 0 {
		t.Errorf("delete: %v, %v", err, list(t, b))
	}
}

// TestAliasesAndTheirTargetsComeTogether, however large the batches are.
func TestAliasesAndTheirTargetsComeTogether(t *testing.T) {
	t.Parallel()
	s, b, id, _ := start(t, route53test.Options{})
	list(t, b)
	var changes []backend.Change
	for i := range 1500 {
		alias := set(fmt.Sprintf("a%04d.zone.example", i), "A", "", attrs("alias", "true"), fmt.Sprintf("t%04d.zone.example", i))
		target := set(fmt.Sprintf("t%04d.zone.example", i), "A", "", nil, "192.0.2.1")
		changes = append(changes, backend.Change{New: &alias}, backend.Change{New: &target})
	}
	s.Reset()
	if err := b.Apply(t.Context(), "zone.example", changes); err != nil {
		t.Fatalf("%.300v", err)
	}
	if n := len(s.Records(id)); n != 3002 {
		t.Errorf("%d record sets", n)
	}
	if n := s.Counts()["ChangeResourceRecordSets"]; n > 5 {
		t.Errorf("%d batches", n)
	}
}

// TestLargeUnits are written in parts when they do not fit into one request.
func TestLargeUnits(t *testing.T) {
	t.Parallel()
	s, b, id, _ := start(t, route53test.Options{})
	list(t, b)
	large := func(fill string) []backend.Change {
		var out []backend.Change
		for i := range 4 {
			r := set(fmt.Sprintf("t%d.zone.example", i), "TXT", "", nil, strings.Repeat(fill, 3900), strings.Repeat(fill, 3901), strings.Repeat(fill, 3902))
			out = append(out, backend.Change{New: &r, Unit: "www.zone.example"})
		}
		return out
	}
	if err := b.Apply(t.Context(), "zone.example", large("a")); err != nil {
		t.Fatal(err)
	}
	if err := b.Apply(t.Context(), "zone.example", changed(t, b, large("b"))); err != nil {
		t.Fatal(err)
	}
	for key, r := range list(t, b) {
		if r.Values[0][0] != 'b' {
			t.Errorf("%s was not changed", key)
		}
	}
	s.Put(id, raw("t2", "TXT", `"somebody else"`))
	err := b.Apply(t.Context(), "zone.example", changed(t, b, large("c"))[:2])
	if err != nil {
		t.Error(err)
	}
	old := large("b")
	update := large("c")
	for i := range update {
		update[i].Old = old[i].New
	}
	err = b.Apply(t.Context(), "zone.example", update[1:])
	if n := len(backend.Errors(err)); backend.KindOf(err) != backend.Conflict || n == 0 {
		t.Errorf("a part of a large unit is in conflict: %v", err)
	}

	too := set("too.zone.example", "TXT", "", nil, strings.Repeat("a", 3900), strings.Repeat("b", 3900), strings.Repeat("c", 3900), strings.Repeat("d", 3900), strings.Repeat("e", 3900))
	err = b.Apply(t.Context(), "zone.example", []backend.Change{{New: &too}})
	if backend.KindOf(err) != backend.Rejected || !strings.Contains(err.Error(), "at most 16000 can be replaced in one step") {
		t.Errorf("too large: %v", err)
	}
}

// TestSomebodyPutsItBack: our belief ends with the next listing, though that lists the same as the last.
func TestSomebodyPutsItBack(t *testing.T) {
	t.Parallel()
	s, b, id, _ := start(t, route53test.Options{})
	s.Put(id, raw("www", "A", "192.0.2.1"))
	before := list(t, b)
	first, err := b.List(t.Context(), "zone.example")
	if err != nil {
		t.Fatal(err)
	}
	one := before[backend.Key{Name: "www.zone.example", Type: "A"}]
	two := one
	two.Values = []string{"192.0.2.2"}
	update := []backend.Change{{Old: &one, New: &two}}
	if err := b.Apply(t.Context(), "zone.example", update); err != nil {
		t.Fatal(err)
	}
	s.Put(id, raw("www", "A", "192.0.2.1"))
	again, err := b.List(t.Context(), "zone.example")
	if err != nil || &again[0] != &first[0] {
		t.Errorf("the zone is as it was, but another slice is returned (%v)", err)
	}
	if err := b.Apply(t.Context(), "zone.example", update); err != nil {
		t.Fatal(err)
	}
	if got := list(t, b)[one.Key]; got.Values[0] != "192.0.2.2" {
		t.Errorf("www is %v, the second update was not made", got.Values)
	}
}

func TestCacheOfListings(t *testing.T) {
	t.Parallel()
	s, b, id, _ := start(t, route53test.Options{}, func(c *route53.Config) { c.Cache = time.Hour })
	list(t, b)
	s.Put(id, raw("theirs", "A", "192.0.2.1"))
	if got := list(t, b); len(got) != 0 || s.Counts()["ListResourceRecordSets"] != 1 {
		t.Errorf("a listing that is good was not used: %v", got)
	}
	if err := b.Apply(t.Context(), "zone.example", hosts(1, "192.0.2.1")); err != nil {
		t.Fatal(err)
	}
	if got := list(t, b); len(got) != 3 {
		t.Errorf("after a write: %v", got)
	}
}

// TestBudget: two backends of one account never have more requests a second than the account.
func TestBudget(t *testing.T) {
	t.Parallel()
	s := route53test.New(route53test.Options{PerSecond: 6, PageSize: 1})
	defer s.Close()
	s.AddZone(route53test.Zone{Name: "zone.example"})
	s.AddZone(route53test.Zone{Name: "other.example"})
	c := settings(s)
	c.RequestsPerSecond = 0
	var budgets route53.Budgets
	seen := &observed{}
	done := make(chan error, 2)
	for _, zone := range []string{"zone.example", "other.example"} {
		b, err := budgets.New(c, seen.observe, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		go func() {
			for range 3 {
				if _, err := b.List(t.Context(), zone); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := seen.count("ListResourceRecordSets throttled"); n > 0 || seen.count("ListResourceRecordSets ok") != 12 {
		t.Errorf("%d requests were throttled: %v", n, seen.seen)
	}
}
