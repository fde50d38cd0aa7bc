package controller

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/nameserver"
)

const example = "example.org"

// want checks what servers hold.
func (w *world) want(holds string, servers ...*fakeServer) {
	w.t.Helper()
	for _, s := range servers {
		if got := s.holds(example); got != holds {
			w.t.Errorf("%s holds %q, want %q", s.name, got, holds)
		}
	}
}

// wantRecord checks a record's condition.
func (w *world) wantRecord(name, want string) v1alpha1.DNSRecord {
	w.t.Helper()
	r := w.record(name)
	if got := reason(r.Status.Conditions, v1alpha1.Ready); got != want {
		w.t.Errorf("%s is %q, want %q: %+v", name, got, want, r.Status.Conditions)
	}
	return r
}

// wantZone checks a zone's conditions: "Ready Accepted Degraded".
func (w *world) wantZone(name string, want ...string) v1alpha1.DNSZone {
	w.t.Helper()
	z := w.zone(name)
	var got []string
	for _, kind := range []string{v1alpha1.Ready, v1alpha1.Accepted, v1alpha1.Degraded} {
		got = append(got, reason(z.Status.Conditions, kind))
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("%s is %q, want %q: %+v", name, got, want, z.Status)
	}
	return z
}

const settled = 30 * time.Second

// TestPublish: objects become RRsets on every server, and go with them.
func TestPublish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b, c := w.server("a", v1alpha1.Primary), w.server("b", v1alpha1.Primary), w.server("c", v1alpha1.Secondary)
		www := recordObject("www", "zone", "A", "192.0.2.1")
		backup := recordObject("mail", "zone", "MX", "20 b.example.net")
		backup.Name = "backup"
		backup.UID = "uid-backup"
		w.create(zoneObject("zone", example), www, recordObject("mail", "zone", "MX", "10 a.example.net"), backup)
		w.start(0, false)
		time.Sleep(settled)
		w.want("mail MX=10 a.example.net,20 b.example.net; www A=192.0.2.1", a, b, c)
		z := w.wantZone("zone", "True Serving", "True Accepted", "False AsWished")
		if z.Status.Ready != "3/3" || z.Status.Records != 3 || len(z.Status.Servers) != 3 || z.Status.ObservedGeneration != 1 || !slices.Contains(z.Finalizers, v1alpha1.Finalizer) {
			t.Errorf("%+v", z)
		}
		if r := w.wantRecord("www-a", "True Answered"); r.Status.FQDN != "www.example.org" || r.Status.Zone != example || r.Status.ObservedGeneration != 1 {
			t.Errorf("%+v", r.Status)
		}
		change(w, www, func(r *v1alpha1.DNSRecord) { r.Spec.Name = "web" }) // a rename
		w.delete(backup)
		time.Sleep(settled)
		w.want("mail MX=10 a.example.net; web A=192.0.2.1", a, b, c)
		before := w.zone("zone").ResourceVersion
		asked := len(w.steps)
		time.Sleep(time.Hour)
		if got := w.zone("zone").ResourceVersion; got != before || len(w.steps) != asked {
			t.Errorf("without a reason: %v", w.steps[asked:])
		}
		w.delete(www)
		z2 := w.zone("zone")
		w.delete(&z2)
		time.Sleep(settled)
		w.want("-", a, b, c)
		var gone v1alpha1.DNSZone
		if err := w.api.Get(t.Context(), types.NamespacedName{Namespace: "dns", Name: "zone"}, &gone); !apierrors.IsNotFound(err) || len(w.ledger) > 0 {
			t.Errorf("%v, ledger %v", err, w.ledger)
		}
		w.wantRecord("mail-mx", "False ZoneNotFound")
	})
}

// TestOthers: what is not ours is left alone, on every primary, and taken over if it is what is wished.
func TestOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.server("a", v1alpha1.Primary), w.server("b", v1alpha1.Primary)
		for _, s := range []*fakeServer{a, b} {
			s.put(example, 7, rrset("hand.example.org", "A", "192.0.2.9"), rrset("same.example.org", "A", "192.0.2.2"), rrset(example, "NS", "old.example.net"))
		}
		a.write(example, "taken.example.org", "A", "192.0.2.3")
		w.create(zoneObject("zone", example), recordObject("taken", "zone", "A", "192.0.2.1"), recordObject("same", "zone", "A", "192.0.2.2"))
		w.start(0, false)
		time.Sleep(settled)
		w.want("hand A=192.0.2.9; same A=192.0.2.2; taken A=192.0.2.3", a)
		w.want("hand A=192.0.2.9; same A=192.0.2.2", b)
		w.wantRecord("taken-a", "False Conflict")
		w.wantRecord("same-a", "True Answered")
		w.wantZone("zone", "True Serving", "True Accepted", "True PrimariesDiffer")
		a.write(example, "taken.example.org", "A") // its writer gives it up
		time.Sleep(settled)
		w.want("hand A=192.0.2.9; same A=192.0.2.2; taken A=192.0.2.1", a, b)
		w.wantRecord("taken-a", "True Answered")
		w.wantZone("zone", "True Serving", "True Accepted", "False AsWished")
		z := w.zone("zone")
		w.delete(&z)
		time.Sleep(settled)
		w.want("hand A=192.0.2.9", a, b) // the zone was there before us
	})
}

// TestHandEdits: ours is put right, whoever changed it.
func TestHandEdits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.server("a", v1alpha1.Primary), w.server("b", v1alpha1.Primary)
		w.create(zoneObject("zone", example), recordObject("www", "zone", "A", "192.0.2.1"), recordObject("api", "zone", "A", "192.0.2.2"))
		w.start(0, false)
		time.Sleep(settled)
		a.write(example, "www.example.org", "A", "203.0.113.1")
		b.write(example, "api.example.org", "A")
		time.Sleep(settled)
		w.want("api A=192.0.2.2; www A=192.0.2.1", a, b)
		w.wantZone("zone", "True Serving", "True Accepted", "False AsWished")
	})
}

// TestHealing: an emptied server, and one that went back in time, get everything again, others' records from a peer.
func TestHealing(t *testing.T) {
	for name, lose := range map[string]func(*fakeServer){
		"emptied":  func(s *fakeServer) { clear(s.zones) },
		"no data":  func(s *fakeServer) { s.zones[example].empty = true },
		"restored": func(s *fakeServer) { z := s.zones[example]; clear(z.sets); z.setSerial(1) },
		"restored, made elsewhere": func(s *fakeServer) {
			z := s.zones[example]
			z.made = false
			clear(z.sets)
			z.sets[backend.Key{Name: "stale.example.org", Type: "A"}] = rrset("stale.example.org", "A", "192.0.2.77")
			z.setSerial(1)
		},
	} {
		for _, restart := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					a, b, c := w.server("a", v1alpha1.Primary), w.server("b", v1alpha1.Primary), w.server("c", v1alpha1.Secondary)
					w.create(zoneObject("zone", example), recordObject("www", "zone", "A", "192.0.2.1"))
					w.start(0, false)
					time.Sleep(settled)
					for _, s := range []*fakeServer{a, b} {
						s.write(example, "foreign.example.org", "TXT", "x")
						s.write(example, "foreign2.example.org", "TXT", "y")
					}
					time.Sleep(settled)
					if restart {
						w.process.stop()
					}
					a.set(func() { a.up = false })
					time.Sleep(settled)
					a.set(func() { a.up = true; lose(a) })
					if restart {
						w.start(0, false)
					}
					time.Sleep(settled)
					w.want("foreign TXT=x; foreign2 TXT=y; www A=192.0.2.1", a, b, c)
					w.wantZone("zone", "True Serving", "True Accepted", "False AsWished")
					if !w.told(EventHealed) {
						t.Errorf("%q", w.events)
					}
					if a.zones[example].serial() != b.zones[example].serial() {
						t.Errorf("serials %d and %d", a.zones[example].serial(), b.zones[example].serial())
					}
					// And secondaries follow from either.
					w.create(recordObject("new", "zone", "A", "192.0.2.5"))
					time.Sleep(settled)
					w.want("foreign TXT=x; foreign2 TXT=y; new A=192.0.2.5; www A=192.0.2.1", a, b, c)
				})
			})
		}
	}
}

// TestOnlyPrimary: what others wrote comes back from a secondary.
func TestOnlyPrimary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, c := w.server("a", v1alpha1.Primary), w.server("c", v1alpha1.Secondary)
		w.create(zoneObject("zone", example), recordObject("www", "zone", "A", "192.0.2.1"))
		w.start(0, false)
		time.Sleep(settled)
		a.write(example, "foreign.example.org", "TXT", "x")
		time.Sleep(settled)
		w.want("foreign TXT=x; www A=192.0.2.1", c)
		a.set(func() { clear(a.zones) })
		time.Sleep(settled)
		w.want("foreign TXT=x; www A=192.0.2.1", a, c)
	})
}

// TestFailures: one server's failure harms no other, one record's no other record.
func TestFailures(t *testing.T) {
	down := func(s *fakeServer) { s.up = false }
	for name, c := range map[string]struct {
		fail   func(*fakeServer)
		heal   func(*fakeServer)
		record string
		state  v1alpha1.ZoneState
	}{
		"down":         {down, func(s *fakeServer) { s.up = true }, "False ServerUnreachable", v1alpha1.Failed},
		"wrong key":    {func(s *fakeServer) { s.denied = true }, func(s *fakeServer) { s.denied = false }, "False ServerUnreachable", v1alpha1.Failed},
		"control down": {func(s *fakeServer) { s.channel = &nameserver.Unreachable{Server: "a", Err: errors.New("refused")} }, func(s *fakeServer) { s.channel = nil }, "True Answered", v1alpha1.Serving},
		"refuses": {func(s *fakeServer) {
			s.refuses = func(c backend.Change) error {
				if strings.HasPrefix(c.Key().Name, "new.") {
					return errors.New("policy")
				}
				return nil
			}
		}, func(s *fakeServer) { s.refuses = nil }, "False Refused", v1alpha1.Serving},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				a, b := w.server("a", v1alpha1.Primary), w.server("b", v1alpha1.Primary)
				w.create(zoneObject("zone", example), recordObject("www", "zone", "A", "192.0.2.1"))
				w.start(0, false)
				time.Sleep(settled)
				a.set(func() { c.fail(a) })
				time.Sleep(10 * time.Second)
				w.create(recordObject("new", "zone", "A", "192.0.2.5"), recordObject("other", "zone", "A", "192.0.2.6"))
				time.Sleep(settled)
				w.want("new A=192.0.2.5; other A=192.0.2.6; www A=192.0.2.1", b)
				w.wantRecord("new-a", c.record)
				w.wantRecord("www-a", "True Answered")
				z := w.zone("zone")
				if z.Status.Servers[0].State != c.state || z.Status.Servers[1].State != v1alpha1.Serving {
					t.Errorf("%+v", z.Status)
				}
				a.set(func() { c.heal(a) })
				time.Sleep(time.Minute)
				w.want("new A=192.0.2.5; other A=192.0.2.6; www A=192.0.2.1", a, b)
				w.wantRecord("new-a", "True Answered")
				w.wantZone("zone", "True Serving", "True Accepted", "False AsWished")
			})
		})
	}
}

// TestDeselection: a server that is not selected any more lets go, and comes back when it is; what cannot be reached is
// given up after a while.
func TestDeselection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.server("a", v1alpha1.Primary), w.server("b", v1alpha1.Primary)
		z := zoneObject("zone", example)
		z.Spec.OrphanAfter = &metav1.Duration{Duration: 5 * time.Minute}
		w.create(z, recordObject("www", "zone", "A", "192.0.2.1"))
		w.start(0, false)
		time.Sleep(settled)
		only := func(name string) {
			change(w, z, func(z *v1alpha1.DNSZone) {
				z.Spec.ServerSelector = metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "name", Operator: metav1.LabelSelectorOpIn, Values: strings.Fields(name)}}}
			})
		}
		only("a")
		time.Sleep(settled)
		w.want("www A=192.0.2.1", a)
		w.want("-", b)
		if s := w.zone("zone").Status; s.Ready != "1/1" || len(s.Servers) != 1 {
			t.Errorf("%+v", s)
		}
		only("a b")
		time.Sleep(settled)
		w.want("www A=192.0.2.1", a, b)
		b.set(func() { b.up = false })
		only("a")
		time.Sleep(settled)
		if s := w.zone("zone").Status; len(s.Servers) != 2 || s.Servers[1].State != v1alpha1.Leaving || !strings.Contains(s.Servers[1].Message, "given up in") {
			t.Errorf("%+v", s)
		}
		time.Sleep(6 * time.Minute)
		if s := w.zone("zone").Status; len(s.Servers) != 1 || !w.told(EventOrphaned) {
			t.Errorf("%+v, %q", s, w.events)
		}
		if !slices.Equal(b.forgotten, []string{example, example}) { // as it left, and as it was given up
			t.Errorf("copies of %q were dropped", b.forgotten)
		}
	})
}

// TestServerDeletion waits for its zones to leave.
func TestServerDeletion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.server("a", v1alpha1.Primary), w.server("b", v1alpha1.Primary)
		w.create(zoneObject("zone", example))
		w.start(0, false)
		time.Sleep(settled)
		var o v1alpha1.DNSServer
		key := types.NamespacedName{Namespace: "dns", Name: "b"}
		if err := w.api.Get(t.Context(), key, &o); err != nil || reason(o.Status.Conditions, v1alpha1.Ready) != "True Usable" || o.Status.Zones != 1 || o.Status.Version != "fake 1" {
			t.Errorf("%v, %+v", err, o.Status)
		}
		w.delete(&o)
		time.Sleep(settled)
		if err := w.api.Get(t.Context(), key, &o); !apierrors.IsNotFound(err) {
			t.Errorf("%v, %+v", err, o)
		}
		w.want("", a)
		w.want("-", b)
	})
}

// TestDuplicates: the older wins, the other says so and takes over when it is alone. On servers of their own both are.
func TestDuplicates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.server("a", v1alpha1.Primary), w.server("b", v1alpha1.Primary)
		old := zoneObject("z-old", example)
		old.Spec.ServerSelector = metav1.LabelSelector{MatchLabels: map[string]string{"name": "a"}}
		young := zoneObject("young", example)
		young.CreationTimestamp = metav1.NewTime(time.Now().Add(time.Minute))
		w.create(old, young, recordObject("old", "z-old", "A", "192.0.2.1"), recordObject("young", "young", "A", "192.0.2.2"))
		w.start(0, false)
		time.Sleep(settled)
		w.want("old A=192.0.2.1", a)
		w.want("-", b)
		w.wantZone("young", "False NotAccepted", "False DuplicateZone", "none")
		w.wantRecord("young-a", "False ZoneNotReady")
		change(w, young, func(z *v1alpha1.DNSZone) {
			z.Spec.ServerSelector = metav1.LabelSelector{MatchLabels: map[string]string{"name": "b"}}
		})
		time.Sleep(settled)
		w.want("old A=192.0.2.1", a)
		w.want("young A=192.0.2.2", b)
		w.wantZone("young", "True Serving", "True Accepted", "False AsWished")
		change(w, young, func(z *v1alpha1.DNSZone) {
			z.Spec.ServerSelector = metav1.LabelSelector{MatchLabels: map[string]string{"zones": "all"}}
		})
		w.delete(old)
		time.Sleep(settled)
		w.want("young A=192.0.2.2", a, b)
		w.wantZone("young", "True Serving", "True Accepted", "False AsWished")
	})
}

// TestGates stand between namespaces, in both directions.
func TestGates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.server("a", v1alpha1.Primary, func(s *v1alpha1.DNSServer) { s.Namespace = "infra" })
		a.name = "infra/a"
		w.servers["infra/a"] = a
		z := zoneObject("zone", example)
		r := recordObject("www", "zone", "A", "192.0.2.1")
		r.Namespace, r.Spec.Zone.Namespace = "team", "dns"
		w.create(z, r)
		w.start(0, false)
		time.Sleep(settled)
		got := w.wantZone("zone", "False NoServers", "True Accepted", "False AsWished")
		if !strings.Contains(got.Status.Conditions[1].Message+got.Status.Conditions[0].Message, "infra/a") {
			t.Errorf("%+v", got.Status)
		}
		var s v1alpha1.DNSServer
		s.Namespace, s.Name = "infra", "a"
		change(w, &s, func(s *v1alpha1.DNSServer) { s.Spec.AllowedNamespaces = []string{"dns"} })
		time.Sleep(settled)
		w.want("", a)
		if err := w.api.Get(t.Context(), keyOf(r), r); err != nil || reason(r.Status.Conditions, v1alpha1.Ready) != "False NamespaceNotAllowed" {
			t.Errorf("%v %+v", err, r.Status)
		}
		change(w, z, func(z *v1alpha1.DNSZone) { z.Spec.RecordNamespaces = []string{"*"} })
		time.Sleep(settled)
		w.want("www A=192.0.2.1", a)
	})
}

// TestBadObjects: each says what is wrong, and others are as if it were not there.
func TestBadObjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.server("a", v1alpha1.Primary)
		bad := zoneObject("bad", "no..name")
		selector := zoneObject("selector", "selector.example")
		selector.Spec.ServerSelector = metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Like"}}}
		w.create(zoneObject("zone", example), bad, selector,
			recordObject("www", "zone", "A", "192.0.2.1"), recordObject("mail", "zone", "MX", "10 192.0.2.1"), recordObject("lost", "nowhere", "A", "192.0.2.1"))
		w.start(0, false)
		time.Sleep(settled)
		w.want("www A=192.0.2.1", a)
		w.wantZone("bad", "False NotAccepted", "False Invalid", "none")
		w.wantZone("selector", "False NotAccepted", "False InvalidSelector", "none")
		w.wantZone("zone", "True Serving", "True Accepted", "False AsWished")
		w.wantRecord("mail-mx", "False Invalid")
		w.wantRecord("lost-a", "False ZoneNotFound")
	})
}

// TestCatalog: secondaries learn of zones by a catalog zone, which comes back with all members at once.
func TestCatalog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.server("a", v1alpha1.Primary), w.server("b", v1alpha1.Primary)
		c := w.server("c", v1alpha1.Secondary, func(s *v1alpha1.DNSServer) {
			s.Spec.Control = &v1alpha1.Control{Catalog: &v1alpha1.Catalog{Zone: "catalog.example"}}
		})
		c.follows, c.catalog = []*fakeServer{a, b}, "catalog.example"
		w.create(zoneObject("zone", example), zoneObject("two", "two.example"), recordObject("www", "zone", "A", "192.0.2.1"))
		w.start(0, false)
		time.Sleep(settled)
		w.want("www A=192.0.2.1", a, b, c)
		w.wantZone("two", "True Serving", "True Accepted", "False AsWished")
		a.set(func() { clear(a.zones) })
		time.Sleep(settled)
		if got := len(a.zones["catalog.example"].sets); got != 4 { // NS, version, two members
			t.Errorf("%v", a.zones["catalog.example"].sets)
		}
		z := w.zone("zone")
		w.delete(&z)
		time.Sleep(settled)
		w.want("-", a, b, c)
		if c.holds("two.example") == "-" {
			t.Error("the other zone is gone, too")
		}
	})
}
