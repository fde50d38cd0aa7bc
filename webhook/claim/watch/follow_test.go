package watch_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spokedns/spokedns/webhook/claim"
	"github.com/spokedns/spokedns/webhook/claim/watch"
)

const classless = `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: plain, namespace: shop}
spec: {rules: [{host: plain.example.org}]}`

func class(name, created string, isDefault bool) string {
	return fmt.Sprintf(`
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: %s, creationTimestamp: "%s", annotations: {ingressclass.kubernetes.io/is-default-class: "%t"}}
spec: {controller: x}`, name, created, isDefault)
}

// classOf waits until the Ingress has the class, or the unknown reason.
func classOf(t *testing.T, w *watch.Watcher, label, class, unknown string) {
	t.Helper()
	eventually(t, label+" of class "+class, func() string {
		c := claimed(w, label)
		if c == nil {
			return "there is no claim"
		}
		if c.IngressClass != class || !strings.Contains(c.Unknown, unknown) || (unknown == "") != (c.Unknown == "") {
			return fmt.Sprintf("its class is %q, unknown %q", c.IngressClass, c.Unknown)
		}
		return ""
	})
}

func TestClasslessIngressFollowsTheDefaultClass(t *testing.T) {
	c := newCluster(t)
	c.apply(t, classless)
	w := start(t, c, watch.Keep{})
	classOf(t, w, "ingress/shop/plain", "", "")
	c.apply(t, class("old", "2020-01-01T00:00:00Z", true))
	classOf(t, w, "ingress/shop/plain", "old", "")
	c.apply(t, class("new", "2021-01-01T00:00:00Z", true))
	classOf(t, w, "ingress/shop/plain", "new", "")
	c.apply(t, class("also-new", "2021-01-01T00:00:00Z", true))
	classOf(t, w, "ingress/shop/plain", "also-new", "")
	c.apply(t, class("also-new", "2021-01-01T00:00:00Z", false))
	classOf(t, w, "ingress/shop/plain", "new", "")
	c.remove(t, class("new", "2021-01-01T00:00:00Z", true))
	classOf(t, w, "ingress/shop/plain", "old", "")
	c.apply(t, strings.Replace(classless, "spec: {", "spec: {ingressClassName: own, ", 1))
	classOf(t, w, "ingress/shop/plain", "own", "")
}

func TestDefaultClassIsUnknownWithoutTheRight(t *testing.T) {
	c := newCluster(t)
	c.forbidden["/apis/networking.k8s.io/v1/ingressclasses"] = true
	c.apply(t, classless)
	c.apply(t, front)
	c.apply(t, class("only", "2020-01-01T00:00:00Z", true))
	w := start(t, c, watch.Keep{})
	classOf(t, w, "ingress/shop/plain", "", "ingressclasses is forbidden")
	classOf(t, w, "ingress/shop/front", "nginx", "")
	c.do(func() { c.forbidden = map[string]bool{} })
	classOf(t, w, "ingress/shop/plain", "only", "")
}

func TestRouteFollowsItsGateway(t *testing.T) {
	c := everything(t)
	c.apply(t, route("HTTPRoute", `hostnames: [www.example.org]`, ``, toPublic))
	w := start(t, c, watch.Keep{})
	hostsOf(t, w, "httproute/shop/r", "")
	c.apply(t, strings.TrimSpace(public))
	hostsOf(t, w, "httproute/shop/r", "www.example.org")
	c.apply(t, strings.TrimSpace(strings.Replace(public, "gatewayClassName: hub", "gatewayClassName: spoke", 1)))
	eventually(t, "of the new class", func() string {
		if got := claimed(w, "httproute/shop/r").GatewayClasses; len(got) != 1 || got[0] != "spoke" {
			return fmt.Sprint("the classes are ", got)
		}
		return ""
	})
	c.remove(t, strings.TrimSpace(public))
	hostsOf(t, w, "httproute/shop/r", "")
}

func TestRouteIsUnknownWithoutTheRightToItsGateway(t *testing.T) {
	c := everything(t)
	c.forbidden["/apis/gateway.networking.k8s.io/v1/gateways"] = true
	c.apply(t, route("HTTPRoute", `hostnames: [www.example.org]`, ``, toPublic))
	w := start(t, c, watch.Keep{})
	eventually(t, "unknown", func() string {
		got := claimed(w, "httproute/shop/r")
		if got == nil || !strings.Contains(got.Unknown, "gateway infra/public: ") || !strings.Contains(got.Unknown, "is forbidden") {
			return fmt.Sprintf("%+v", got)
		}
		return ""
	})
}

func TestResolveFindsGatewaysOfRoutes(t *testing.T) {
	c := everything(t)
	w := start(t, c, watch.Keep{})
	c.do(func() { c.mute = true })
	c.apply(t, strings.TrimSpace(public))
	c.apply(t, route("HTTPRoute", `hostnames: [set.example.org]`, ``, `{kind: ListenerSet, name: set}`))
	ref := claim.Ref{Kind: "httproute", Namespace: "shop", Name: "r"}
	if err := w.Resolve(t.Context(), []claim.Ref{ref}); err != nil {
		t.Fatal(err)
	}
	got := w.Snapshot().ByRef(ref)
	if got == nil || len(got.Hosts) != 1 || len(got.GatewayClasses) != 1 || got.GatewayClasses[0] != "hub" {
		t.Errorf("the claim is %+v, want one of class hub", got)
	}
}

func TestGatewayThatDoesNotExistIsNoReasonToDoubt(t *testing.T) {
	c := everything(t)
	c.apply(t, strings.TrimSpace(public))
	w := start(t, c, watch.Keep{})
	c.apply(t, route("HTTPRoute", `hostnames: [www.example.org]`, ``, toPublic, `{name: nowhere}`))
	ref := claim.Ref{Kind: "httproute", Namespace: "shop", Name: "r"}
	hostsOf(t, w, ref.String(), "www.example.org")
	if got := w.Snapshot().ByRef(ref).Unknown; got != "gateway shop/nowhere: not seen yet" {
		t.Errorf("before it was looked for the class is unknown for %q", got)
	}
	if err := w.Resolve(t.Context(), []claim.Ref{ref}); err != nil {
		t.Fatal(err)
	}
	if got := w.Snapshot().ByRef(ref); got.Unknown != "" || len(got.GatewayClasses) != 1 {
		t.Errorf("the claim is %+v, want one of class hub and no doubt", got)
	}
	c.apply(t, strings.NewReplacer("name: public", "name: nowhere", "infra", "shop", "hub", "late").Replace(
		strings.TrimSpace(strings.Split(public, "\n---\n")[0])))
	eventually(t, "of both classes", func() string {
		if got := w.Snapshot().ByRef(ref).GatewayClasses; len(got) != 2 {
			return fmt.Sprint("the classes are ", got)
		}
		return ""
	})
}
