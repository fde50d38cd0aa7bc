package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
)

// Network is a network namespace with two cables to this machine: one to the API server, which can be pulled
// out, and one to the Internet of a Site. It needs root, and is gone with its stack whatever happens.
type Network struct {
	Inside  string // address of what runs in it, on the cable to the Internet
	Outside string // address of this machine on that cable: SiteConfig.Host

	holder *Part
	ip     string // the program
	cable  string // name of this machine's end of the cable to the API server
	door   net.Listener
}

// Network makes a network namespace from which the API server can be reached.
func (s *Stack) Network(ctx context.Context, api *APIServer) (*Network, error) {
	unshare, err := System("unshare", "util-linux")
	if err != nil {
		return nil, err
	}
	n := &Network{}
	if n.ip, err = System("ip", "iproute2"); err != nil {
		return nil, err
	}
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return nil, err
	}
	n.holder, err = s.Start(ctx, "network", nil, exec.Command(unshare, "--net", "--", "sleep", "infinity"))
	if err != nil {
		return nil, err
	}
	err = n.holder.await(ctx, func(context.Context) error { // until unshare has become sleep
		theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", n.holder.PID()))
		if program, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", n.holder.PID())); err == nil && (theirs == own || string(program) != "sleep\n") {
			err = errors.New("there is no network namespace yet")
		}
		return err
	})
	if err == nil {
		err = n.connect(api)
	}
	if err != nil {
		n.holder.Stop()
		return nil, fmt.Errorf("network namespace (this takes root): %w", err)
	}
	go n.forward(api.Config.Host)
	return n, nil
}

// connect lays the cables. Their networks are of 198.18.0.0/15, which is for tests of networks (RFC 2544); the
// process id keeps those that are there at the same time apart.
func (n *Network) connect(api *APIServer) error {
	pid := n.holder.PID()
	n.cable = fmt.Sprintf("spk%da", pid)
	internet := fmt.Sprintf("spk%di", pid)
	at := func(i int) string {
		block := pid%(1<<14)*8 + i
		return netip.AddrFrom4([4]byte{198, byte(18 + block>>16), byte(block >> 8), byte(block)}).String()
	}
	n.Outside, n.Inside = at(5), at(6)
	for _, c := range []string{
		fmt.Sprintf("link add %s type veth peer name api netns %d", n.cable, pid),
		fmt.Sprintf("link add %s type veth peer name internet netns %d", internet, pid),
		fmt.Sprintf("address add %s/30 dev %s", at(1), n.cable),
		fmt.Sprintf("address add %s/30 dev %s", at(5), internet),
		fmt.Sprintf("link set %s up", n.cable),
		fmt.Sprintf("link set %s up", internet),
	} {
		if err := n.run(exec.Command(n.ip, strings.Fields(c)...)); err != nil {
			return err
		}
	}
	for _, c := range []string{
		"link set lo up",
		fmt.Sprintf("address add %s/30 dev api", at(2)),
		fmt.Sprintf("address add %s/30 dev internet", at(6)),
		"link set api up",
		"link set internet up",
	} {
		if err := n.run(n.Command(exec.Command(n.ip, strings.Fields(c)...))); err != nil {
			return err
		}
	}
	u, err := url.Parse(api.Config.Host)
	if err != nil {
		return err
	}
	n.door, err = net.Listen("tcp", net.JoinHostPort(at(1), u.Port()))
	return err
}

func (n *Network) run(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}

// forward brings what comes over the cable to the API server, until the namespace ends.
func (n *Network) forward(server string) {
	u, err := url.Parse(server)
	if err != nil {
		return
	}
	go func() { <-n.holder.Done(); _ = n.door.Close() }()
	for {
		client, err := n.door.Accept()
		if err != nil {
			return
		}
		go func() {
			defer client.Close()
			upstream, err := net.Dial("tcp", u.Host)
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(client, upstream); _ = client.Close() }()
			_, _ = io.Copy(upstream, client)
			_ = upstream.Close()
		}()
	}
}

// Kubeconfig rewrites a kubeconfig file for who reaches the API server from inside.
func (n *Network) Kubeconfig(path string) (string, error) {
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		return "", err
	}
	for _, cluster := range config.Clusters {
		cluster.Server = "https://" + n.door.Addr().String()
	}
	path = filepath.Join(filepath.Dir(path), "inside-"+strconv.Itoa(n.holder.PID())+"-"+filepath.Base(path))
	return path, clientcmd.WriteToFile(*config, path)
}

// Cut pulls the cable to the API server out: packets get lost, connections stay as they are.
func (n *Network) Cut() error { return n.run(exec.Command(n.ip, "link", "set", n.cable, "down")) }

// Mend puts it in again.
func (n *Network) Mend() error { return n.run(exec.Command(n.ip, "link", "set", n.cable, "up")) }

// Command is a command that runs inside.
func (n *Network) Command(cmd *exec.Cmd) *exec.Cmd {
	args := append([]string{fmt.Sprintf("--net=/proc/%d/ns/net", n.holder.PID()), "--", cmd.Path}, cmd.Args[1:]...)
	return exec.Command("nsenter", args...)
}
