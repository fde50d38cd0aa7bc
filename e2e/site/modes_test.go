package site_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

// join writes files one after the other into a new one.
func (h *home) join(paths ...string) string {
	h.Helper()
	var all []byte
	for _, p := range paths {
		b, err := os.ReadFile(p)
		h.must(err)
		all = append(all, b...)
	}
	path := filepath.Join(h.TempDir(), "joined.pem")
	h.must(os.WriteFile(path, all, 0o600))
	return path
}

// service makes the status of a Service of type LoadBalancer have these addresses.
func (h *home) service(addrs ...string) {
	h.Helper()
	s := &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Name: "gateway", Namespace: h.ns},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Ports: []corev1.ServicePort{{Port: 443}}},
	}
	for _, a := range addrs {
		s.Status.LoadBalancer.Ingress = append(s.Status.LoadBalancer.Ingress, corev1.LoadBalancerIngress{IP: a})
	}
	h.must(h.api.Apply(h.ctx, s))
}

func TestModeService(t *testing.T) {
	t.Parallel()
	h := newHome(t, stack.SiteConfig{}, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: []string{"get"}})
	h.service("10.1.2.3", "2620:fe::10", first.String())
	a := h.replica("a", "--ipv4-mode=service", "--ipv4-service="+h.ns+"/gateway", "--ipv6-mode=service", "--ipv6-service="+h.ns+"/gateway")
	h.publishes(first)
	h.publishes(addr("2620:fe::10"))
	h.says("ipv6_mode", "service-status")
	h.service(second.String(), "2620:fe::20")
	h.publishes(second)
	h.publishes(addr("2620:fe::20"))
	for _, none := range [][]string{{}, {"10.1.2.3"}, {first.String(), third.String()}} {
		h.service(none...)
		h.holds(second, "Holding")
		h.service(second.String(), "2620:fe::20")
		h.publishes(second)
	}
	h.must(h.api.Delete(h.ctx, "apiVersion: v1\nkind: Service\nmetadata: {name: gateway, namespace: "+h.ns+"}"))
	h.holds(second, "Holding")
	h.told("Warning", "QuorumLost")
	h.service(third.String(), "2620:fe::20")
	h.publishes(third)
	for k, n := range h.site.Asked() {
		if n > 0 {
			t.Errorf("%s was asked %d times", h.site.Operator(k), n)
		}
	}
	if raw, err := a.Raw(h.ctx); err != nil || raw.IPv4.IP != third.String() || raw.IPv6.IP != "2620:fe::20" {
		t.Errorf("%+v, %v", raw, err)
	}
	h.onlyEver(wanip.IPv4, first, second, third)
	h.onlyEver(wanip.IPv6, addr("2620:fe::10"), addr("2620:fe::20"))
}

// node makes a Node have this ExternalIP.
func (h *home) node(name, external string) {
	h.Helper()
	h.must(h.api.Apply(h.ctx, &corev1.Node{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Node"},
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{
			{Type: corev1.NodeInternalIP, Address: "10.0.0.1"}, {Type: corev1.NodeExternalIP, Address: external},
		}},
	}))
}

func TestModeNode(t *testing.T) {
	t.Parallel()
	h := newHome(t, stack.SiteConfig{})
	meta := metav1.ObjectMeta{Name: "nodes-of-" + h.ns}
	rbac := rbacv1.SchemeGroupVersion.String()
	h.must(h.api.Apply(h.ctx,
		&rbacv1.ClusterRole{TypeMeta: metav1.TypeMeta{APIVersion: rbac, Kind: "ClusterRole"}, ObjectMeta: meta,
			Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: []string{"list"}}}},
		&rbacv1.ClusterRoleBinding{TypeMeta: metav1.TypeMeta{APIVersion: rbac, Kind: "ClusterRoleBinding"}, ObjectMeta: meta,
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "spokedns-ipcontroller", Namespace: h.ns}},
			RoleRef:  rbacv1.RoleRef{Kind: "ClusterRole", APIGroup: rbacv1.GroupName, Name: meta.Name}}))
	h.node("edge", first.String())
	h.replica("a", "--ipv4-mode=node")
	h.publishes(first)
	h.node("edge", second.String())
	h.publishes(second)
	h.node("other", third.String()) // which of the two is it?
	h.holds(second, "Holding")
	h.node("other", second.String())
	h.publishes(second)
	h.onlyEver(wanip.IPv4, first, second)
}

// Without the right to read what a mode asks for, it says so and holds.
func TestAModeWithoutItsRights(t *testing.T) {
	t.Parallel()
	h := newHome(t, stack.SiteConfig{})
	a := h.replica("a", "--ipv4-mode=service", "--ipv4-service="+h.ns+"/gateway")
	h.says("ipv4_status", "Holding")
	h.until("the reason", func() error {
		if text := h.configMap().Data["ipv4_sources"]; !strings.Contains(text, "forbidden") {
			return errorText(text)
		}
		return nil
	})
	h.told("Warning", "QuorumLost")
	if raw, err := a.Raw(h.ctx); err != nil || raw.IPv4.Usable || raw.IPv4.Status != "Holding" {
		t.Errorf("%+v, %v", raw, err)
	}
}

func TestModeStatic(t *testing.T) {
	t.Parallel()
	h := newHome(t, stack.SiteConfig{})
	a := h.replica("a", "--ipv4-mode=static", "--ipv4-address="+first.String(), "--ipv6-mode=static", "--ipv6-address=2620:fe::10")
	h.says("ipv4", first.String(), "ipv4_status", "Static", "current_ip", first.String(), "ipv6", "2620:fe::10", "ipv6_mode", "static")
	was := h.configMap().Data["ipv4_detected_at"]
	a.Stop()
	h.replica("b", "--ipv4-mode=static", "--ipv4-address="+second.String()) // rolled out anew; IPv6 is given up
	h.says("ipv4", second.String(), "ipv4_status", "Static", "ipv6", "", "ipv6_status", "")
	if now := h.configMap().Data["ipv4_detected_at"]; now == was {
		t.Errorf("detected at %s, as before", now)
	}
	h.onlyEver(wanip.IPv4, first, second)
}

// The operators see addresses of the replica's that come and go; what is published is the prefix with the host's
// own part, and moves with the prefix alone.
func TestModePrefix(t *testing.T) {
	t.Parallel()
	h := newHome(t, stack.SiteConfig{Family: wanip.IPv6})
	h.site.Set(addr("2620:fe:0:1:abcd::1"))
	a := h.replica("a", "--ipv4-mode=off", "--ipv6-mode=prefix", "--ipv6-host-id=::53", "--ipv6-prefix-bits=60")
	h.publishes(addr("2620:fe::53"))
	h.says("ipv6_prefix", "2620:fe::/60", "ipv6_mode", "prefix+hostid", "ipv4", "", "current_ip", "")
	h.site.Set(addr("2620:fe:0:2:dead:beef::7")) // another replica, another temporary address
	before := h.counted(a, "spokedns_wan_ip_rounds_total")
	h.counts(a, func(v float64) bool { return v >= before+3 }, "spokedns_wan_ip_rounds_total")
	h.publishes(addr("2620:fe::53"))
	h.site.Set(addr("2600:1f00:0:31::1"))
	h.publishes(addr("2600:1f00:0:30::53"))
	h.says("ipv6_prefix", "2600:1f00:0:30::/60")
	h.onlyEver(wanip.IPv6, addr("2620:fe::53"), addr("2600:1f00:0:30::53"))
	if n := len(h.state().History); n != 2 {
		t.Errorf("%d changes", n)
	}
}

func (h *home) counted(p *stack.IPController, name string, labels ...string) float64 {
	h.Helper()
	m, err := p.Metrics(h.ctx)
	h.must(err)
	return m.Sum(name, labels...)
}

// A replica on the machine that has the address: the stable one of the interface, whatever temporary ones there
// are; and the prefix of the interface with a host part.
func TestModeInterface(t *testing.T) {
	t.Parallel()
	own := stack.ForTest(t)
	network, err := own.Network(t.Context(), shared(t).api)
	if err != nil {
		t.Fatal(err)
	}
	h := newHome(t, stack.SiteConfig{})
	ip, err := stack.System("ip", "iproute2")
	h.must(err)
	do := func(args string) {
		h.Helper()
		if out, err := network.Command(exec.Command(ip, strings.Fields(args)...)).CombinedOutput(); err != nil {
			h.Fatalf("ip %s: %v: %s", args, err, out)
		}
	}
	do("link add wan0 type veth peer name wan1")
	do("link set wan0 up")
	do("link set wan1 up")
	do("address add " + first.String() + "/24 dev wan0")
	do("address add 10.9.9.9/24 dev wan0")
	do("-6 address add 2620:fe::10/64 dev wan0 nodad")
	do("-6 address add 2620:fe::99/64 dev wan0 nodad preferred_lft 0 valid_lft 600") // deprecated
	do("-6 address add fd00::1/64 dev wan0 nodad")
	inside, err := network.Kubeconfig(h.account)
	h.must(err)
	h.start(stack.IPControllerConfig{Name: "a", Kubeconfig: inside, Network: network, Args: append(quick(),
		"--ipv4-mode=interface", "--ipv4-interface=wan0", "--ipv6-mode=prefix", "--ipv6-interface=wan0", "--ipv6-host-id=::53")})
	h.publishes(first)
	h.publishes(addr("2620:fe::53"))
	do("address del " + first.String() + "/24 dev wan0")
	h.holds(first, "Holding")
	do("address add " + second.String() + "/24 dev wan0")
	h.publishes(second)
	do("link del wan0")
	h.holds(second, "Holding")
	h.holds(addr("2620:fe::53"), "Holding")
	do("link add wan0 type veth peer name wan1")
	do("link set wan0 up")
	do("link set wan1 up")
	do("address add " + second.String() + "/24 dev wan0")
	do("-6 address add 2600:1f00::10/64 dev wan0 nodad")
	h.publishes(second)
	h.publishes(addr("2600:1f00::53"))
	h.onlyEver(wanip.IPv4, first, second)
	h.onlyEver(wanip.IPv6, addr("2620:fe::53"), addr("2600:1f00::53"))
}
