package stack

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
)

// IPControllerConfig says how one replica of the ipcontroller runs.
type IPControllerConfig struct {
	Name       string   // of the part, its log, and the replica in the election; default "ipcontroller"
	Program    string   // path of the built program, from BuildIPController
	Kubeconfig string   // of its service account, from APIServer.IPControllerAccount
	Namespace  string   // of the ConfigMap and the Lease
	Site       *Site    // whom it asks; nil: Args says it
	Network    *Network // where it runs; nil: where the test does
	Args, Env  []string // in addition
	Unready    bool     // return as soon as it listens, for tests in which it cannot become ready
}

// IPController is one replica of our ipcontroller, running. Kill ends it as a crash would, Stop as a rollout.
type IPController struct {
	*Part
	URL string // of the page, /raw, /metrics, /healthz and /readyz
}

// IPController starts a replica and waits until it is ready: the API server has answered it.
func (s *Stack) IPController(ctx context.Context, c IPControllerConfig) (*IPController, error) {
	name, host := cmp.Or(c.Name, "ipcontroller"), "127.0.0.1"
	if c.Network != nil {
		host = c.Network.Inside
	}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	listen := net.JoinHostPort(host, strconv.Itoa(port))
	args := []string{
		"--namespace=" + c.Namespace, "--kubeconfig=" + c.Kubeconfig, "--listen=" + listen,
		"--identity=" + name, "--node-name=node-of-" + name,
	}
	if c.Site != nil {
		args = append(args, c.Site.Args()...)
	}
	cmd := exec.Command(c.Program, append(args, c.Args...)...)
	if c.Network != nil {
		cmd = c.Network.Command(cmd)
	}
	cmd.Env = append(os.Environ(), c.Env...)
	p := &IPController{URL: "http://" + listen}
	path := "/readyz"
	if c.Unready {
		path = "/healthz"
	}
	p.Part, err = s.Start(ctx, name, AnswersOK(http.DefaultClient, p.URL+path), cmd)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Metrics reads the replica's metrics.
func (p *IPController) Metrics(ctx context.Context) (Metrics, error) {
	return Scrape(ctx, p.URL+"/metrics")
}

// Ready is nil while the replica says it is ready, else what it says instead.
func (p *IPController) Ready(ctx context.Context) error {
	return AnswersOK(http.DefaultClient, p.URL+"/readyz")(ctx)
}

// Leading says whether the replica says that it leads.
func (p *IPController) Leading(ctx context.Context) (bool, error) {
	m, err := p.Metrics(ctx)
	return m.Sum("spokedns_wan_ip_leader") == 1, err
}

// RawAddress is one family in what /raw answers.
type RawAddress struct {
	Usable bool    `json:"usable"`
	IP     string  `json:"IP"`
	Status string  `json:"status"`
	Age    float64 `json:"age_seconds"`
}

// Raw is what /raw answers.
type Raw struct {
	IPv4    RawAddress `json:"wan_ip_state"`
	IPv6    RawAddress `json:"ipv6_state"`
	Leader  string     `json:"leader"`
	Problem string     `json:"problem"`
}

// Raw reads /raw.
func (p *IPController) Raw(ctx context.Context) (raw Raw, err error) {
	body, err := p.Get(ctx, "/raw")
	if err == nil {
		err = json.Unmarshal([]byte(body), &raw)
	}
	return raw, err
}

// Get reads one of the replica's pages.
func (p *IPController) Get(ctx context.Context, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+path, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s%s: %s: %s", p.URL, path, resp.Status, body)
	}
	return string(body), err
}
