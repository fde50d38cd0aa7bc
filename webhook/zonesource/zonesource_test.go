package zonesource_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/zonesource"
)

// object is a DNSZone of that age in days.
func object(zone string, age int, labels string) zonesource.Object {
	o := zonesource.Object{Namespace: "dns", Name: fmt.Sprintf("%s-%d", zone, age), Zone: zone, Ready: true,
		Created: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, -age), Labels: map[string]string{}}
	for l := range strings.FieldsSeq(labels) {
		key, value, _ := strings.Cut(l, "=")
		o.Labels[key] = value
	}
	return o
}

func having(labels ...string) *zonesource.From {
	f := &zonesource.From{Selector: zonesource.Selector{MatchLabels: map[string]string{}}}
	for _, l := range labels {
		key, value, _ := strings.Cut(l, "=")
		f.Selector.MatchLabels[key] = value
	}
	return f
}

// said is an assignment as text: view: zone state, ….
func said(found map[string][]zonesource.Zone) map[string]string {
	out := map[string]string{}
	for view, zones := range found {
		var parts []string
		for _, z := range zones {
			parts = append(parts, z.Name+" "+string(z.State))
		}
		out[view] = strings.Join(parts, ", ")
	}
	return out
}

func TestAssign(t *testing.T) {
	unready := object("one.test", 1, "to=public")
	unready.Ready, unready.Message = false, "0 of 2 servers serve it"
	leaving := object("one.test", 3, "to=public")
	leaving.Leaving = true
	public := zonesource.View{Name: "public", From: having("to=public")}
	internal := zonesource.View{Name: "internal", From: having("to=internal")}
	static := zonesource.View{Name: "static", Zones: []string{"fixed.test"}}
	everything := func(name string, backend int) zonesource.View {
		return zonesource.View{Name: name, From: &zonesource.From{}, Backend: backend}
	}
	for label, row := range map[string]struct {
		views   []zonesource.View
		objects []zonesource.Object
		want    map[string]string
	}{
		"selected by label":              {[]zonesource.View{public, internal}, []zonesource.Object{object("One.test.", 1, "to=public"), object("two.test", 1, "to=internal"), object("three.test", 1, "")}, map[string]string{"public": "one.test ready", "internal": "two.test ready"}},
		"not ready":                      {[]zonesource.View{public}, []zonesource.Object{unready}, map[string]string{"public": "one.test unready"}},
		"being deleted":                  {[]zonesource.View{public}, []zonesource.Object{leaving}, map[string]string{"public": "one.test leaving"}},
		"of several the best":            {[]zonesource.View{public}, []zonesource.Object{leaving, unready, object("one.test", 0, "to=public")}, map[string]string{"public": "one.test ready"}},
		"no name":                        {[]zonesource.View{public}, []zonesource.Object{object("a..b", 1, "to=public"), object("one.test", 1, "to=public")}, map[string]string{"public": "a..b refused, one.test ready"}},
		"nested in one view":             {[]zonesource.View{public}, []zonesource.Object{object("one.test", 1, "to=public"), object("deep.one.test", 1, "to=public")}, map[string]string{"public": "deep.one.test ready, one.test ready"}},
		"named by the view itself":       {[]zonesource.View{{Name: "static", Zones: []string{"fixed.test"}, From: &zonesource.From{}}}, []zonesource.Object{unready, object("fixed.test", 1, "")}, map[string]string{"static": "one.test unready"}},
		"named by another view":          {[]zonesource.View{public, static}, []zonesource.Object{object("fixed.test", 1, "to=public"), object("deep.fixed.test", 1, "to=public"), object("test", 1, "to=public"), object("one.test", 1, "to=public")}, map[string]string{"public": "deep.fixed.test refused, fixed.test refused, one.test ready, test refused"}},
		"the older object":               {[]zonesource.View{public, internal}, []zonesource.Object{object("one.test", 1, "to=public"), object("deep.one.test", 2, "to=internal")}, map[string]string{"public": "one.test refused", "internal": "deep.one.test ready"}},
		"one object for two views":       {[]zonesource.View{everything("first", 0), everything("second", 0)}, []zonesource.Object{object("one.test", 1, "")}, map[string]string{"first": "one.test ready", "second": "one.test refused"}},
		"two backends are split horizon": {[]zonesource.View{everything("first", 0), everything("second", 1)}, []zonesource.Object{object("one.test", 1, "")}, map[string]string{"first": "one.test ready", "second": "one.test ready"}},
		"a label border":                 {[]zonesource.View{public, internal}, []zonesource.Object{object("one.test", 1, "to=public"), object("done.test", 2, "to=internal")}, map[string]string{"public": "one.test ready", "internal": "done.test ready"}},
	} {
		t.Run(label, func(t *testing.T) {
			got := zonesource.Assign(row.views, row.objects)
			if diff := cmp.Diff(row.want, said(got)); diff != "" {
				t.Error(diff)
			}
			for view, zones := range got {
				for _, z := range zones {
					if (z.Why == "") == (z.State == zonesource.Refused || z.State == zonesource.Unready) {
						t.Errorf("view %s: %s is %s for %q", view, z.Name, z.State, z.Why)
					}
				}
			}
		})
	}
}

// Whatever objects there are and in whatever order: what two views publish to one place never overlaps, nothing
// overlaps what a configuration names, and a zone is assigned whenever nothing stands against it.
func TestAssignIsSafe(t *testing.T) {
	names := rapid.SampledFrom([]string{"test", "a.test", "b.test", "x.a.test", "y.x.a.test", "A.test.", "xa.test", "..", ""})
	rapid.Check(t, func(t *rapid.T) {
		var views []zonesource.View
		for i := range rapid.IntRange(1, 4).Draw(t, "views") {
			v := zonesource.View{Name: fmt.Sprint("v", i), Backend: rapid.IntRange(0, 1).Draw(t, "backend")}
			if rapid.Bool().Draw(t, "found") {
				v.From = having(rapid.SliceOfN(rapid.SampledFrom([]string{"a=1", "b=1"}), 0, 1).Draw(t, "selector")...)
			} else {
				v.Zones = []string{fmt.Sprintf("z%d.test", i)}
			}
			views = append(views, v)
		}
		var objects []zonesource.Object
		for i := range rapid.IntRange(0, 6).Draw(t, "objects") {
			o := object(names.Draw(t, "zone"), rapid.IntRange(0, 2).Draw(t, "age"), rapid.SampledFrom([]string{"", "a=1", "b=1", "a=1 b=1"}).Draw(t, "labels"))
			o.Name = fmt.Sprint("o", i)
			o.Leaving, o.Ready = rapid.Bool().Draw(t, "leaving"), rapid.Bool().Draw(t, "ready")
			objects = append(objects, o)
		}
		got := zonesource.Assign(views, objects)
		shuffled := slices.Clone(objects)
		rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if diff := cmp.Diff(got, zonesource.Assign(views, shuffled)); diff != "" {
			t.Fatalf("the order of objects matters: %s", diff)
		}
		has := func(v zonesource.View) (zones []string) {
			zones = slices.Clone(v.Zones)
			for _, z := range got[v.Name] {
				if z.State != zonesource.Refused {
					zones = append(zones, z.Name)
				}
			}
			return zones
		}
		overlap := func(a, b string) bool { return backend.InZone(a, b) || backend.InZone(b, a) }
		for i, v := range views {
			for j, w := range views {
				for _, a := range has(v) {
					for _, b := range has(w) {
						if i != j && v.Backend == w.Backend && overlap(a, b) {
							t.Fatalf("views %s and %s have %s and %s on one backend", v.Name, w.Name, a, b)
						}
					}
				}
			}
			for _, z := range got[v.Name] {
				against := slices.ContainsFunc(views, func(w zonesource.View) bool {
					return w.Name != v.Name && w.Backend == v.Backend && slices.ContainsFunc(has(w), func(o string) bool { return overlap(o, z.Name) })
				})
				if _, err := backend.Name(z.Name); err == nil && z.State == zonesource.Refused && !against {
					t.Fatalf("%s is refused to %s for nothing: %s", z.Name, v.Name, z.Why)
				}
			}
		}
	})
}
