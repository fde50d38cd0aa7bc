package controller

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/nameserver"
)

// selecting is a selector of servers by their names.
func selecting(names ...string) metav1.LabelSelector {
	return metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "name", Operator: metav1.LabelSelectorOpIn, Values: names}}}
}

// elsewhere has zones made by somebody else.
func elsewhere(s *v1alpha1.DNSServer) { s.Spec.Control = nil }

// TestServersAreReplacedWithoutWaiting: one whose old connections are busy holds up nobody else.
func TestServersAreReplacedWithoutWaiting(t *testing.T) {
	busy, done := &handle{}, make(chan struct{})
	p := newPool(nil, func(nameserver.Config) (Server, error) {
		return Server{Nameserver: busy, DNS: slowToClose{busy, done}}, nil
	})
	s := &v1alpha1.DNSServer{ObjectMeta: metav1.ObjectMeta{Namespace: "dns", Name: "a", UID: "1", Generation: 1}, Spec: v1alpha1.DNSServerSpec{Address: "192.0.2.1"}}
	_ = p.get(t.Context(), s)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		next := s.DeepCopy()
		next.Generation++
		_ = p.get(t.Context(), next)
		p.drop(types.NamespacedName{Namespace: "dns", Name: "a"})
	}()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Error("everybody waits for the old connections")
	}
	close(done)
	<-ended
}

// slowToClose is busy until done is closed.
type slowToClose struct {
	DNS
	done chan struct{}
}

func (s slowToClose) Close() error { <-s.done; return nil }

// TestLeavingServersLoseWhatIsDeletedMeanwhile: what is ours on a server that is to let go and cannot be reached is not
// forgotten until it has let go.
func TestLeavingServersLoseWhatIsDeletedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.server("a", v1alpha1.Primary, elsewhere), w.server("b", v1alpha1.Primary, elsewhere)
		for _, s := range []*fakeServer{a, b} {
			s.put(example, 7, rrset(example, "NS", "ns1.example.net"))
		}
		z, www := zoneObject("zone", example), recordObject("www", "zone", "A", "192.0.2.1")
		w.create(z, www, recordObject("api", "zone", "A", "192.0.2.2"))
		w.start(0, false)
		time.Sleep(settled)
		w.want("api A=192.0.2.2; www A=192.0.2.1", a, b)
		b.set(func() { b.up = false })
		change(w, z, func(z *v1alpha1.DNSZone) { z.Spec.ServerSelector = selecting("a") })
		time.Sleep(settled)
		w.delete(www)
		time.Sleep(settled)
		w.want("api A=192.0.2.2", a)
		b.set(func() { b.up = true })
		time.Sleep(time.Minute)
		w.want("", b)
		if got := w.ledger[z.UID]; got[backend.Key{Name: "www.example.org", Type: "A"}] {
			t.Errorf("the ledger has it still: %v", got)
		}
	})
}

// TestKeysThatCannotBeRead hold what servers were told of others.
func TestKeysThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		keyed := func(address string) func(s *v1alpha1.DNSServer) {
			return func(s *v1alpha1.DNSServer) {
				s.Spec.Address, s.Spec.TSIG = address, &v1alpha1.SecretReference{Name: s.Name}
				w.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "dns", Name: s.Name}, Data: map[string][]byte{"name": []byte(s.Name), "secret": []byte("c2VjcmV0")}})
			}
		}
		a := w.server("a", v1alpha1.Primary, keyed("192.0.2.1:53"))
		w.server("b", v1alpha1.Primary, keyed("192.0.2.2:53"))
		c := w.server("c", v1alpha1.Secondary, keyed("192.0.2.3:53"))
		w.server("d", v1alpha1.Secondary, keyed("192.0.2.4:53"))
		w.create(zoneObject("zone", example), recordObject("www", "zone", "A", "192.0.2.1"))
		w.start(0, false)
		time.Sleep(settled)
		for _, name := range []string{"b", "d"} {
			w.delete(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "dns", Name: name}})
		}
		for _, lives := range []string{"the same process", "another one"} {
			time.Sleep(resync + time.Minute)
			if got := a.settings(example).AllowTransfer; !slices.Equal(got, []string{"192.0.2.3", "192.0.2.4"}) {
				t.Errorf("%s: %v may transfer", lives, got)
			}
			var from []string
			for _, p := range c.settings(example).Primaries {
				from = append(from, p.Addr+" "+p.Key.Name)
			}
			if !slices.Equal(from, []string{"192.0.2.1:53 a", "192.0.2.2:53 b"}) {
				t.Errorf("%s: a secondary fetches from %v", lives, from)
			}
			w.start(0, false)
		}
	})
}

// settings are those that a zone was given last.
func (s *fakeServer) settings(zone string) nameserver.ZoneConfig {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.given[zone]
}

// TestSettingsAreLookedAtAgain: addresses of host names change, and people change zones.
func TestSettingsAreLookedAtAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, c := w.server("a", v1alpha1.Primary), w.server("c", v1alpha1.Secondary)
		w.create(zoneObject("zone", example))
		w.start(0, false)
		time.Sleep(settled)
		first := map[*fakeServer]int{a: a.ensured[example], c: c.ensured[example]}
		time.Sleep(3 * resync)
		for s, before := range first {
			if more := s.ensured[example] - before; more < 2 || more > 3 {
				t.Errorf("%s was given its settings %d times in %s, want once in %s", s.name, more, 3*resync, resync)
			}
		}
		before := c.ensured[example]
		a.set(func() { a.up = false })
		time.Sleep(settled)
		a.set(func() { a.up = true })
		time.Sleep(settled)
		if more := c.ensured[example] - before; more == 0 || more > 2 {
			t.Errorf("after another server came back, it was given its settings %d times", more)
		}
	})
}

// TestPrimariesThatNeverServed do not answer, and nobody says they do.
func TestPrimariesThatNeverServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server("a", v1alpha1.Primary)
		w.create(zoneObject("zone", example), recordObject("www", "zone", "A", "192.0.2.1"))
		w.start(0, false)
		time.Sleep(settled)
		w.wantRecord("www-a", "True Answered")
		b := w.server("b", v1alpha1.Primary)
		b.set(func() { b.up = false })
		change(w, &v1alpha1.DNSServer{ObjectMeta: metav1.ObjectMeta{Namespace: "dns", Name: "b"}}, func(*v1alpha1.DNSServer) {})
		time.Sleep(settled)
		w.wantRecord("www-a", "False ServerUnreachable")
		b.set(func() { b.up = true })
		time.Sleep(time.Minute)
		w.wantRecord("www-a", "True Answered")
		b.set(func() { clear(b.zones); b.channel = &nameserver.Unreachable{Server: b.name, Err: errIgnored} })
		time.Sleep(time.Minute)
		w.wantRecord("www-a", "False ServerUnreachable")
		b.set(func() { b.channel = nil })
		time.Sleep(time.Minute)
		w.wantRecord("www-a", "True Answered")
	})
}

// TestHeirsThatCannotInherit do not keep a zone on servers that nobody would take off them again.
func TestHeirsThatCannotInherit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.server("a", v1alpha1.Primary)
		z, heir := zoneObject("zone", example), zoneObject("heir", example)
		heir.CreationTimestamp = metav1.NewTime(time.Now().Add(time.Minute))
		heir.Spec.NameServers[0].Hostname = "192.0.2.1"
		w.create(z, heir, recordObject("www", "zone", "A", "192.0.2.1"))
		w.start(0, false)
		time.Sleep(settled)
		w.wantZone("heir", "False NotAccepted", "False Invalid", "none")
		w.delete(z)
		time.Sleep(settled)
		w.want("-", a)
	})
}

// TestHeirsKeepTheirs: what two DNSZones of a name published alike stays when one of them goes, also when a process has not
// looked at the other one yet.
func TestHeirsKeepTheirs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.server("a", v1alpha1.Primary)
		young, old := zoneObject("a-young", example), zoneObject("b-old", example)
		young.CreationTimestamp = metav1.NewTime(time.Now().Add(time.Minute))
		old.Spec.ServerSelector = selecting("elsewhere")
		w.create(young, old, recordObject("www", "a-young", "A", "192.0.2.1"))
		w.start(0, false)
		time.Sleep(settled)
		other := recordObject("www", "b-old", "A", "192.0.2.1")
		other.Name, other.UID = "other", "uid-other"
		w.create(other)
		change(w, old, func(z *v1alpha1.DNSZone) { z.Spec.ServerSelector = selecting("a") })
		time.Sleep(settled)
		w.wantZone("b-old", "True Serving", "True Accepted", "False AsWished")
		w.wantRecord("other", "True Answered")
		w.process.stop()
		w.delete(young)
		a.set(func() {
			a.refuses = func(c backend.Change) error {
				t.Errorf("%s was changed", c.Key())
				return nil
			}
		})
		w.start(0, false)
		time.Sleep(settled)
		w.want("www A=192.0.2.1", a)
	})
}

// TestDelegationsThatAreNotTaken are told, and tried again.
func TestDelegationsThatAreNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.server("a", v1alpha1.Primary)
		a.set(func() {
			a.refuses = func(c backend.Change) error {
				if c.Key().Name == "child.example.org" {
					return errIgnored
				}
				return nil
			}
		})
		w.create(zoneObject("zone", example))
		w.start(0, false)
		time.Sleep(settled)
		w.create(recordObject("child", "zone", "NS", "ns.example.net"))
		time.Sleep(settled)
		r := w.wantRecord("child-ns", "False NotAnswered")
		if text := r.Status.Conditions[0].Message; strings.Contains(text, "nil") || !strings.Contains(text, "child.example.org NS") {
			t.Error(text)
		}
		a.set(func() { a.refuses = nil })
		time.Sleep(time.Minute)
		w.wantRecord("child-ns", "True Answered")
	})
}

const catalogZone = "catalog.example"

// follower is a secondary that learns of its zones by a catalog zone.
func (w *world) follower(name string, of ...*fakeServer) *fakeServer {
	s := w.server(name, v1alpha1.Secondary, func(s *v1alpha1.DNSServer) {
		s.Spec.Control = &v1alpha1.Control{Catalog: &v1alpha1.Catalog{Zone: catalogZone}}
	})
	s.follows, s.catalog = of, catalogZone
	return s
}

// lists says whether a zone is in a server's catalog zone.
func (s *fakeServer) lists(zone string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.zones[catalogZone]
	if c == nil {
		return false
	}
	_, in := c.sets[nameserver.CatalogMember(catalogZone, zone).Key]
	return in
}

// TestCatalogThatCouldNotBeWritten is written later.
func TestCatalogThatCouldNotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.server("a", v1alpha1.Primary), w.server("b", v1alpha1.Primary)
		c := w.follower("c", a, b)
		w.create(zoneObject("zone", example))
		w.start(0, false)
		time.Sleep(settled)
		a.set(func() {
			clear(a.zones)
			a.fails = map[string]error{catalogZone: &nameserver.Unfetched{Server: a.name, Zone: catalogZone, Err: errIgnored}}
		})
		time.Sleep(settled)
		w.want("", a, b, c)
		w.wantZone("zone", "True Serving", "True Accepted", "True ServersFailing")
		a.set(func() { a.fails = nil })
		time.Sleep(time.Minute)
		if !a.lists(example) {
			t.Error("the catalog zone was never written again")
		}
		w.wantZone("zone", "True Serving", "True Accepted", "False AsWished")
	})
}

// TestCatalogOfWhoMissedAnEntry: a primary that was away when a zone was entered does not have secondaries drop it.
func TestCatalogOfWhoMissedAnEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.server("a", v1alpha1.Primary), w.server("b", v1alpha1.Primary)
		w.follower("c", a, b)
		z := zoneObject("zone", example)
		z.Spec.ServerSelector = selecting("a", "b")
		w.create(z, zoneObject("first", "first.example"))
		w.start(0, false)
		time.Sleep(settled)
		b.set(func() { b.up = false })
		time.Sleep(settled)
		change(w, z, func(z *v1alpha1.DNSZone) { z.Spec.ServerSelector = selecting("a", "b", "c") })
		time.Sleep(settled)
		if !a.lists(example) || b.lists(example) {
			t.Fatal("it is not entered where it can be")
		}
		b.set(func() { b.up = true })
		time.Sleep(time.Minute)
		a.set(func() { a.up = false })
		time.Sleep(settled)
		w.create(zoneObject("second", "second.example"))
		time.Sleep(time.Minute)
		for _, zone := range []string{"first.example", "second.example", example} {
			if !b.lists(zone) {
				t.Errorf("%s is not in the newest catalog zone", zone)
			}
		}
	})
}
