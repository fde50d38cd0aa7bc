package stack

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spokedns/spokedns/e2e/pki"
)

// ZoneControllerConfig says how one replica of the zonecontroller runs.
type ZoneControllerConfig struct {
	Name       string // of the part and its log; default "zonecontroller"
	Program    string // path of the built program, from BuildZonecontroller
	Kubeconfig string // of its service account, from APIServer.ZoneControllerAccount
	Namespace  string // of the ledger and the Lease
	Args, Env  []string
}

// ZoneController is one replica of our zonecontroller, running.
type ZoneController struct {
	*Part
	URL string // of /metrics, /healthz and /readyz

	stack  *Stack
	config ZoneControllerConfig
}

// ZoneController starts a replica and waits until it is ready: the API server has answered it.
func (s *Stack) ZoneController(ctx context.Context, c ZoneControllerConfig) (*ZoneController, error) {
	z := &ZoneController{stack: s, config: c}
	return z, z.Restart(ctx)
}

// Restart starts the program again, on other ports; it must have ended.
func (z *ZoneController) Restart(ctx context.Context) error {
	c := z.config
	port, err := FreePort()
	if err != nil {
		return err
	}
	transfers, err := FreePort()
	if err != nil {
		return err
	}
	listen := fmt.Sprintf("127.0.0.1:%d", port)
	z.URL = "http://" + listen
	args := []string{
		"run", "--namespace=" + c.Namespace, "--kubeconfig=" + c.Kubeconfig, "--listen=" + listen,
		fmt.Sprintf("--transfer-listen=127.0.0.1:%d", transfers),
		// One that was killed is replaced soon.
		"--lease-duration=3s", "--renew-deadline=2s", "--retry-period=200ms",
	}
	cmd := exec.Command(c.Program, append(args, c.Args...)...)
	cmd.Env = append(os.Environ(), c.Env...)
	z.Part, err = z.stack.Start(ctx, cmp.Or(c.Name, "zonecontroller"), AnswersOK(http.DefaultClient, z.URL+"/readyz"), cmd)
	return err
}

// Metrics reads the replica's metrics.
func (z *ZoneController) Metrics(ctx context.Context) (Metrics, error) {
	return Scrape(ctx, z.URL+"/metrics")
}

// ZoneControllerCRDs are the definitions of DNSServer, DNSZone and DNSRecord.
func ZoneControllerCRDs() string {
	return filepath.Join(Root(), "zonecontroller", "api", "v1alpha1")
}

// ZoneControllerAccount makes the zonecontroller's service account with the rights that its program asks for, and no
// others, and returns the path of a kubeconfig file for it. Called again it adds the namespaces of further servers.
func (a *APIServer) ZoneControllerAccount(ctx context.Context, program, namespace string, servers ...string) (string, error) {
	args := []string{"rights", "--namespace=" + namespace}
	for _, s := range servers {
		args = append(args, "--server-namespace="+s)
	}
	out, err := exec.CommandContext(ctx, program, args...).Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", program, strings.Join(args, " "), err)
	}
	if err := a.ApplyYAML(ctx, string(out)); err != nil {
		return "", err
	}
	user := "system:serviceaccount:" + namespace + ":spokedns-zonecontroller"
	cfg, err := a.clientConfig(a.Config.Host, pki.Subject{Name: user})
	if err != nil {
		return "", err
	}
	return a.writeKubeconfig("zonecontroller-"+namespace, cfg)
}
