package release

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spokedns/spokedns/e2e/pki"
	"github.com/spokedns/spokedns/e2e/stack"
)

// Release is the name of every release; each is in the namespace of its scenario.
const Release = "dns"

// The namespaces of the scenarios.
const (
	Center     = "center"      // landscape-center: the central DNS, and corednsconfig
	Workload   = "workload01"  // landscape-cluster: a cluster of the landscape
	Spoke      = "spoke"       // split-horizon: one zone, two audiences
	OnPremises = "on-premises" // bind-on-premises
	Home       = "home"        // changing-address
)

// CentralAddress is the central DNS's in the examples. Pods of the cluster reach it once its Service has it.
const CentralAddress = "192.0.2.53"

// SiteAddress is what ipcontroller says in scenario changing-address.
const SiteAddress = "93.184.215.14"

const (
	etcdMembers = 3
	spokeUser   = "skydns.cluster.spoke-1"
	password    = "of-the-house"
)

// Scenario is one of the examples the umbrella chart ships, and what is particular about this house: the addresses of the
// servers, and what nobody outside answers here.
type Scenario struct {
	Namespace, Example string
	Set                []string // of --set-json
	secrets            func(ctx context.Context) error
}

// Scenarios are those that need no cloud, with a stand-in for Gandi at the URL, whose certificate is of the authority. The
// first has to be there before the next two.
func (h *House) Scenarios(gandi string, authority []byte) []Scenario {
	etcd := fmt.Sprintf(`["https://%s-central-dns-etcd.%s.svc:2379"]`, Release, Center)
	return []Scenario{
		{Center, "landscape-center", []string{
			`centralDNS.tls.certManager.enabled=false`,
			`centralDNS.landscape.zones=["openmcp.cluster","org"]`, // a cluster's zone lies below one of them
			`centralDNS.landscape.clusters=[{"name":"workload01","zones":["workload01.openmcp.cluster"]},{"name":"spoke-1","zones":["example.org"]}]`,
			`centralDNS.setup.passwordsSecret="passwords"`,
		}, h.centerSecrets},
		{Workload, "landscape-cluster", []string{`webhook.config.views[0].backend.etcd.endpoints=` + etcd}, func(ctx context.Context) error {
			return h.issue(ctx, Workload, "etcd-client", pki.Subject{Name: "skydns.cluster.workload01"})
		}},
		{Spoke, "split-horizon", []string{
			fmt.Sprintf(`webhook.config.views[0].backend.rfc2136.servers=[%q]`, h.Public.Addr),
			`webhook.config.views[1].backend.etcd.endpoints=` + etcd,
			fmt.Sprintf(`webhook.config.views[1].backend.etcd.username=%q`, spokeUser),
			`webhook.config.views[1].backend.etcd.tls={"caFile":"/etc/etcd-client/ca.crt","certFile":"/etc/etcd-client/tls.crt","keyFile":"/etc/etcd-client/tls.key"}`,
		}, h.spokeSecrets},
		{OnPremises, "bind-on-premises", []string{fmt.Sprintf(`webhook.config.views[0].backend.rfc2136.servers=[%q]`, h.OnPremises.TLSAddr)}, h.onPremisesSecrets},
		{Home, "changing-address", []string{
			`webhook.externalDNS.sources=["ingress"]`, // the definition of DNSEndpoint is external-dns's own
			fmt.Sprintf(`webhook.config.views[0].backend.gandi.endpoint=%q`, gandi),
			`webhook.config.views[0].backend.gandi.tls={"caFile":"/etc/gandi/ca.crt"}`,
			`ipcontroller.ipv4.mode="static"`, fmt.Sprintf(`ipcontroller.ipv4.address=%q`, SiteAddress),
		}, func(ctx context.Context) error {
			return h.Secret(ctx, Home, "gandi", map[string][]byte{"token": []byte(GandiToken), "ca.crt": authority})
		}},
	}
}

// GandiToken is what the stand-in for Gandi takes.
const GandiToken = "token-of-the-house"

// Args are helm's: "install", "upgrade" and their like, and what is behind release and chart.
func (h *House) Args(verb string, s Scenario, more ...string) []string {
	args := []string{verb, Release, filepath.Join(h.Charts, "spokedns"), "--namespace", s.Namespace,
		"--values", filepath.Join(h.Charts, "spokedns", "examples", s.Example+".yaml")}
	for _, set := range s.Set {
		args = append(args, "--set-json", set)
	}
	return append(args, more...)
}

// Prepare makes the scenario's namespace and Secrets.
func (h *House) Prepare(ctx context.Context, s Scenario) error {
	if err := h.Namespace(ctx, s.Namespace); err != nil {
		return err
	}
	return s.secrets(ctx)
}

// Install installs a scenario and gives its Services addresses, as a cloud would, while helm waits for its hooks.
func (h *House) Install(ctx context.Context, s Scenario) error {
	if err := h.Prepare(ctx, s); err != nil {
		return err
	}
	if _, err := h.Helm(ctx, h.Args("install", s)...); err != nil {
		return err
	}
	if s.Namespace != Center {
		return nil
	}
	return h.Address(ctx, Center, "service/"+Release+"-central-dns", CentralAddress)
}

// issue makes a Secret with a certificate of the central etcd's authority.
func (h *House) issue(ctx context.Context, namespace, name string, subject pki.Subject) error {
	pair, err := h.authority.Issue(subject)
	if err != nil {
		return err
	}
	return h.Secret(ctx, namespace, name, map[string][]byte{"tls.crt": pair.Cert, "tls.key": pair.Key, "ca.crt": h.authority.PEM})
}

func (h *House) centerSecrets(ctx context.Context) (err error) {
	if h.authority, err = pki.New("landscape", pki.PerTest); err != nil {
		return err
	}
	name := Release + "-central-dns"
	hosts := []string{fmt.Sprintf("%s-etcd.%s.svc", name, Center), "127.0.0.1"}
	for i := range etcdMembers {
		hosts = append(hosts, fmt.Sprintf("%s-etcd-%d.%s-etcd-members.%s.svc", name, i, name, Center))
	}
	for secret, subject := range map[string]pki.Subject{
		name + "-etcd": {Name: name + "-etcd", Hosts: hosts}, name + "-coredns": {Name: "skydns.coredns"}, name + "-root": {Name: "root"},
	} {
		if err := h.issue(ctx, Center, secret, subject); err != nil {
			return err
		}
	}
	return h.Secret(ctx, Center, "passwords", map[string][]byte{spokeUser: []byte(password)})
}

func (h *House) spokeSecrets(ctx context.Context) error {
	if err := h.tsig(ctx, Spoke, h.Public); err != nil {
		return err
	}
	pair, err := h.authority.Issue(pki.Subject{Name: spokeUser})
	if err != nil {
		return err
	}
	return h.Secret(ctx, Spoke, "etcd-client", map[string][]byte{
		"password": []byte(password), "ca.crt": h.authority.PEM, "tls.crt": pair.Cert, "tls.key": pair.Key,
	})
}

func (h *House) onPremisesSecrets(ctx context.Context) error {
	if err := h.tsig(ctx, OnPremises, h.OnPremises); err != nil {
		return err
	}
	ca, err := os.ReadFile(h.OnPremises.CAFile)
	if err != nil {
		return err
	}
	return h.Secret(ctx, OnPremises, "dns-ca", map[string][]byte{"ca.crt": ca})
}

func (h *House) tsig(ctx context.Context, namespace string, of *stack.Named) error {
	return h.Secret(ctx, namespace, "tsig", map[string][]byte{"secret": []byte(of.Key.Secret)})
}
