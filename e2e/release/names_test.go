package release_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/spokedns/spokedns/e2e/release"
)

// readyWithin is what the contract allows from helm install to the last pod; twice as long is let pass, because the
// machine may be busy with something else.
const readyWithin = time.Minute

func (h *house) installs() {
	for _, namespace := range h.order {
		began := time.Now()
		h.must(h.Install(h.Context(), h.scenarios[namespace]))
		h.ready(namespace)
		took := time.Since(began)
		h.Logf("%s: from helm install to the last pod ready: %s", h.scenarios[namespace].Example, took.Round(100*time.Millisecond))
		if took > 2*readyWithin {
			h.Errorf("%s took %s, want %s", namespace, took, readyWithin)
		}
	}
}

const (
	hub        = "203.0.113.10" // in the examples
	shop, bank = "shop.example.org", "bank.default.workload01.openmcp.cluster"
	camera     = "camera.home.example.org"
)

// ingress makes an Ingress with an address.
func (h *house) ingress(name, class, host, address string) {
	h.Helper()
	h.must(h.Apply(h.Context(), fmt.Sprintf(`apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: %s, namespace: default}
spec:
  ingressClassName: %s
  rules: [{host: %s, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: %[1]s, port: {number: 80}}}}]}}]
`, name, class, host)))
	h.must(h.Address(h.Context(), "default", "ingress/"+name, address))
}

// central is where this machine asks the central DNS.
func (h *house) central() string {
	h.Helper()
	at, err := h.CentralAddr(h.Context())
	h.must(err)
	return at
}

func (h *house) publishes() {
	h.ingress("shop", "nginx", shop, "10.1.0.10")
	h.ingress("admin", "nginx-internal", "admin.example.org", "10.1.0.11")
	h.ingress("camera", "nginx", camera, "10.1.0.12")
	h.must(h.Apply(h.Context(), "{apiVersion: v1, kind: Service, metadata: {name: bank, namespace: default}, spec: {type: LoadBalancer, ports: [{port: 80}]}}"))
	h.must(h.Address(h.Context(), "default", "service/bank", "10.2.0.10"))

	for _, server := range []string{h.Public.Addr, h.OnPremises.Addr} {
		h.answers(server, shop, "A", hub)
		h.answers(server, "admin.example.org", "A")
	}
	h.answers(h.central(), shop, "A", "10.1.0.10")
	h.answers(h.central(), "admin.example.org", "A", "10.1.0.11")
	h.answers(h.central(), bank, "A", "10.2.0.10")
	h.gandiHas(camera, release.SiteAddress)
}

// asking is a client that asks without pause.
type asking struct {
	cmd *exec.Cmd
	in  io.Closer
	out io.Reader
}

// ask asks a server for names from this machine.
func (h *house) ask(server string, names ...string) asking {
	h.Helper()
	cmd := exec.CommandContext(h.Context(), h.lookups, append([]string{server}, names...)...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	h.must(err)
	out, err := cmd.StdoutPipe()
	h.must(err)
	h.must(cmd.Start())
	return asking{cmd, in, out}
}

// tally is what a client of lookups says in the end.
type tally struct {
	Asked  int
	Failed []string
	Worst  time.Duration
}

func (h *house) stop(a asking) tally {
	h.Helper()
	h.must(a.in.Close())
	text, err := io.ReadAll(a.out)
	h.must(err)
	h.must(a.cmd.Wait())
	var t tally
	h.must(json.Unmarshal(text, &t))
	return t
}

// flawless fails the test unless so many were asked and all answered.
func (h *house) flawless(what string, t tally, least int) {
	h.Helper()
	h.Logf("%s: %d lookups, %d failed, slowest %s", what, t.Asked, len(t.Failed), t.Worst.Round(time.Microsecond))
	if t.Asked < least || len(t.Failed) > 0 {
		h.Errorf("%s: want at least %d lookups and none failed: %v", what, least, t.Failed)
	}
}

// gandiHas waits until Gandi has the address of a name in example.org.
func (h *house) gandiHas(name, address string) {
	h.Helper()
	want := strings.TrimSuffix(name, ".example.org")
	h.eventually(func(context.Context) error {
		for _, r := range h.fake.Records("example.org") {
			if r.Name == want && r.Type == "A" && slices.Equal(r.Values, []string{address}) {
				return nil
			}
		}
		return fmt.Errorf("%s is not %s at Gandi: %v", name, address, h.fake.Records("example.org"))
	})
}
