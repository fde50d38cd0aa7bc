package zones

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
)

func keyOf(o client.Object) types.NamespacedName { return client.ObjectKeyFromObject(o) }

// setKey changes the Secret of a key.
func (s *site) setKey(name string, key stack.TSIGKey) {
	s.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: name}}
	change(s, secret, func(o *corev1.Secret) {
		o.Data = map[string][]byte{"name": []byte(key.Name), "algorithm": []byte(key.Algorithm), "secret": []byte(key.Secret)}
	})
}

// TestDuplicate: of two DNSZones of one name on a server the older wins; the other says so, and takes over when it is alone.
func TestDuplicate(t *testing.T) {
	s := newSite(t)
	a := s.primary("a")
	old := s.dnszone("old", s.zone)
	s.create(old, s.dnsrecord("old", "old", "A", "192.0.2.1"))
	s.is(old, v1alpha1.Ready, "True Serving")
	time.Sleep(time.Until(old.CreationTimestamp.Add(1100 * time.Millisecond))) // creation is told in seconds
	young := s.dnszone("young", s.zone)
	record := s.dnsrecord("young", "young", "A", "192.0.2.2")
	s.create(young, record)
	s.is(young, v1alpha1.Accepted, "False DuplicateZone")
	s.is(record, v1alpha1.Ready, "False ZoneNotReady")
	s.answers("old."+s.zone, "A", []string{"192.0.2.1"}, a)
	s.delete(old)
	s.is(young, v1alpha1.Ready, "True Serving")
	s.answers("young."+s.zone, "A", []string{"192.0.2.2"}, a)
	s.answers("old."+s.zone, "A", nil, a)
}

// TestKinds: Knot by its control, and a server on which zones are made elsewhere, beside BIND.
func TestKinds(t *testing.T) {
	s := newSite(t)
	a := s.primary("a")
	k, err := s.st.KnotServer(s.ctx, "knot")
	s.must(err)
	s.secret("knot", k.Key)
	o := s.server("knot", v1alpha1.Primary, k.Addr)
	o.Spec.TSIG = &v1alpha1.SecretReference{Name: "knot"}
	o.Spec.Control = &v1alpha1.Control{Knot: &v1alpha1.Knot{Socket: k.Socket}}
	n, err := s.st.Named(s.ctx, stack.NamedConfig{Zones: []string{s.zone}})
	s.must(err)
	s.secret("elsewhere", n.Key)
	e := s.server("elsewhere", v1alpha1.Primary, n.Addr)
	e.Spec.TSIG = &v1alpha1.SecretReference{Name: "elsewhere"}
	zone := s.dnszone("zone", s.zone)
	www := s.dnsrecord("www", "zone", "A", "192.0.2.1")
	s.create(o, e, zone, www)
	s.is(zone, v1alpha1.Ready, "True Serving")
	for _, addr := range []string{a.Addr, k.Addr, n.Addr} {
		s.answersAt(addr, "www."+s.zone, "A", "192.0.2.1")
		s.answersAt(addr, s.zone, "NS", "ns1."+s.zone+".")
	}
	change(s, www, func(r *v1alpha1.DNSRecord) { r.Spec.Values = []string{"192.0.2.2"} })
	for _, addr := range []string{a.Addr, k.Addr, n.Addr} {
		s.answersAt(addr, "www."+s.zone, "A", "192.0.2.2")
	}
	s.delete(zone)
	s.refused(s.zone, a)
	s.answersAt(n.Addr, "www."+s.zone, "A") // the zone is not ours and stays, without what was
	s.answersAt(n.Addr, s.zone, "NS", "ns1."+s.zone+".")
}

// TestGone: a server that does not come back is given up, and says so; its DNSServer can be deleted.
func TestGone(t *testing.T) {
	s := newSite(t)
	a, b := s.primary("a"), s.primary("b")
	zone := s.dnszone("zone", s.zone)
	zone.Spec.OrphanAfter = &metav1.Duration{Duration: 5 * time.Second}
	s.create(zone)
	s.is(zone, v1alpha1.Ready, "True Serving")
	b.Kill()
	s.delete(zone)
	s.refused(s.zone, a)
	gone := func(ctx context.Context) error {
		var zones v1alpha1.DNSZoneList
		if err := parts.client.List(ctx, &zones, client.InNamespace(s.ns)); err != nil {
			return err
		}
		if len(zones.Items) > 0 {
			return fmt.Errorf("the zone is still there: %+v", zones.Items[0].Status)
		}
		return nil
	}
	s.must(stack.Eventually(s.ctx, patience, gone))
	s.delete(&v1alpha1.DNSServer{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: "b"}})
}

// TestKilledController is killed again and again while zones and records come, change and go; what stands in the end is
// what was asked for.
func TestKilledController(t *testing.T) {
	s := newSite(t)
	a, b := s.primary("a"), s.primary("b")
	const rounds = 8
	var zones []*v1alpha1.DNSZone
	for i := range rounds {
		zone := s.dnszone(fmt.Sprintf("zone%d", i), fmt.Sprintf("z%d.%s", i, s.zone))
		record := s.dnsrecord(fmt.Sprintf("r%d", i), zone.Name, "A", "192.0.2.1")
		record.Spec.Name = "www"
		s.create(zone, record)
		zones = append(zones, zone)
		// Anywhere in what it has to do: before it sees them, while it makes the zones, after all is done.
		time.Sleep(time.Duration(rand.IntN(400)) * time.Millisecond)
		if i%2 == 1 {
			change(s, record, func(r *v1alpha1.DNSRecord) { r.Spec.Values = []string{"192.0.2.2"} })
			s.delete(zones[i-1])
			time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
		}
		parts.controller.Kill()
		s.must(parts.controller.Restart(s.ctx))
	}
	for i, zone := range zones {
		if i%2 == 0 {
			s.refused(zone.Spec.ZoneName, a, b)
			continue
		}
		s.answers("www."+zone.Spec.ZoneName, "A", []string{"192.0.2.2"}, a, b)
		s.is(zone, v1alpha1.Ready, "True Serving")
	}
}

// TestExternalDNS: Ingresses, by the real external-dns and the compiled webhook, and DNSRecords live in one zone that a
// DNSZone made. Neither takes from the other, and what one lost another's healing brings back.
func TestExternalDNS(t *testing.T) {
	s := newSite(t)
	a, b := s.primary("a"), s.primary("b")
	zone := s.dnszone("zone", s.zone)
	zone.Labels = map[string]string{"publish": "yes"}
	s.create(zone, s.dnsrecord("www", "zone", "A", "192.0.2.1"))
	s.is(zone, v1alpha1.Ready, "True Serving")

	program, err := stack.BuildWebhook(s.ctx, s.st.Dir)
	s.must(err)
	identity, err := parts.api.WebhookIdentity(s.ctx, rbacv1.PolicyRule{APIGroups: []string{v1alpha1.Group}, Resources: []string{"dnszones"}, Verbs: []string{"get", "list", "watch"}})
	s.must(err)
	w, err := s.st.Webhook(s.ctx, stack.WebhookConfig{Program: program, Kubeconfig: identity, ConfigYAML: fmt.Sprintf(`
targets:
  hub: {static: [203.0.113.10]}
views:
- name: public
  zonesFrom: {selector: {matchLabels: {publish: "yes"}}}
  ttl: 1m
  rules:
  - action: rewrite
    target: hub
  backend:
    rfc2136:
      servers: [%q, %q]
      tsig: {name: %s, algorithm: %s, secret: %q}
`, a.Addr, b.Addr, a.Key.Name, a.Key.Algorithm, a.Key.Secret)})
	s.must(err)
	reader, err := parts.api.ExternalDNSIdentity(s.ctx)
	s.must(err)
	_, err = s.st.ExternalDNS(s.ctx, stack.ExternalDNSConfig{Kubeconfig: reader, WebhookURL: w.API, Sources: []string{"ingress"}, Namespace: s.ns})
	s.must(err)

	shop := "shop." + s.zone
	for _, name := range []string{"shop", "bank", "cafe", "museum", "www"} { // www is taken
		s.must(parts.api.ApplyYAML(s.ctx, ingress(s.ns, name, name+"."+s.zone)))
	}
	s.answers(shop, "A", []string{"203.0.113.10"}, a, b)
	s.answers("www."+s.zone, "A", []string{"192.0.2.1"}, a, b)

	t.Log("a DNSRecord wants a name of external-dns's")
	thief := s.dnsrecord("shop", "zone", "A", "192.0.2.66")
	s.create(thief)
	s.is(thief, v1alpha1.Ready, "False OwnedByExternalDNS")
	s.answers(shop, "A", []string{"203.0.113.10"}, a, b)

	t.Log("a server is emptied")
	a.Kill()
	erase(t, a, "spokedns.*", "*.nzf", "*.nzd*", "*.jnl")
	s.must(a.Restart(s.ctx))
	s.answers(shop, "A", []string{"203.0.113.10"}, a, b)
	s.answers("www."+s.zone, "A", []string{"192.0.2.1"}, a, b)

	t.Log("the Ingress goes, and the name is free; in a zone that is new to it the webhook deletes nothing for a minute")
	s.must(parts.api.Delete(s.ctx, ingress(s.ns, "shop", shop)))
	s.must(stack.EventuallyAnswers(s.ctx, 3*patience, a.Addr, shop, "A", "192.0.2.66"))
	s.answers(shop, "A", []string{"192.0.2.66"}, a, b)
	s.is(thief, v1alpha1.Ready, "True Answered")
}

// ingress is one that has got an address.
func ingress(namespace, name, host string) string {
	return fmt.Sprintf(`
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: %s, namespace: %s}
spec: {rules: [{host: %s, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: x, port: {number: 80}}}}]}}]}
status: {loadBalancer: {ingress: [{ip: 10.1.0.10}]}}
`, name, namespace, host)
}
