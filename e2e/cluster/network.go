package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os/exec"
	"strings"

	"github.com/spokedns/spokedns/e2e/stack"
)

const linkPrefix = "spokedns"

// connectToHost lays a cable between the machine and the node: a veth pair with the addresses
// 10.213.N.1, ours, and 10.213.N.2, the node's. The device's name takes N, so that clusters started at
// the same time, by whatever process, never take the same.
//
// Nothing else can be reached from the node: there is no route, whatever the machine would forward.
func (n *node) connectToHost(ctx context.Context, services netip.Prefix) (host, inside netip.Addr, err error) {
	first := rand.IntN(250)
	for i := range 250 {
		number := byte((first+i)%250 + 1)
		link := fmt.Sprintf("%s%d", linkPrefix, number)
		err = ip(ctx, "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", fmt.Sprint(n.PID))
		if err != nil && strings.Contains(err.Error(), "File exists") {
			continue
		}
		if err != nil {
			return host, inside, err
		}
		n.Link = link
		host, inside = netip.AddrFrom4([4]byte{10, 213, number, 1}), netip.AddrFrom4([4]byte{10, 213, number, 2})
		err = errors.Join(n.record(),
			ip(ctx, "addr", "add", host.String()+"/30", "dev", link),
			ip(ctx, "link", "set", link, "up"),
			n.ip(ctx, "addr", "add", inside.String()+"/30", "dev", "eth0"),
			n.ip(ctx, "link", "set", "eth0", "up"),
			// A route is looked up before kube-proxy's rules change the destination, and its gateway never used.
			n.ip(ctx, "route", "add", services.String(), "via", host.String()),
			n.ip(ctx, "route", "add", "unreachable", "default"))
		return host, inside, err
	}
	return host, inside, errors.New("every network device from " + linkPrefix + "1 to " + linkPrefix + "250 is taken: too many clusters, or left-overs (ip link)")
}

// Connect lays a cable between the nodes of two clusters, so that the pods and the node of each reach the
// other's NodeIP, and with it its NodePorts. It goes with either of them.
func Connect(ctx context.Context, a, b *Cluster) error {
	// Names and addresses are unique within a node: they are made of the other's number.
	na, nb := a.NodeIP.As4()[2], b.NodeIP.As4()[2]
	toB, toA := fmt.Sprintf("to%d", nb), fmt.Sprintf("to%d", na)
	err := a.node.ip(ctx, "link", "add", toB, "type", "veth", "peer", "name", toA, "netns", fmt.Sprint(b.node.PID))
	if err != nil {
		return err
	}
	// Each end has its node's own address, so that what pods send is masqueraded as their node.
	return errors.Join(
		a.node.ip(ctx, "addr", "add", a.NodeIP.String()+"/32", "dev", toB),
		b.node.ip(ctx, "addr", "add", b.NodeIP.String()+"/32", "dev", toA),
		a.node.ip(ctx, "link", "set", toB, "up"), b.node.ip(ctx, "link", "set", toA, "up"),
		a.node.ip(ctx, "route", "add", b.NodeIP.String(), "dev", toB, "src", a.NodeIP.String()),
		b.node.ip(ctx, "route", "add", a.NodeIP.String(), "dev", toA, "src", b.NodeIP.String()))
}

// ip runs ip(8) on the machine.
func ip(ctx context.Context, args ...string) error {
	return run(ctx, append([]string{"ip"}, args...))
}

// ip runs ip(8) in the node's network, but with the machine's process ids.
func (n *node) ip(ctx context.Context, args ...string) error {
	return run(ctx, append([]string{"nsenter", "--target", fmt.Sprint(n.PID), "--net", "--", "ip"}, args...))
}

func run(ctx context.Context, argv []string) error {
	program, err := stack.System(argv[0], argv[0])
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, argv[1:]...)
	cmd.Env = []string{"PATH=" + nodePath}
	if _, err := output(cmd); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(argv, " "), err)
	}
	return nil
}

// removeLink removes the machine's end of a cable. The kernel does it too, some time after the node's
// last process.
func removeLink(link string) error {
	err := ip(context.Background(), "link", "del", link)
	if err != nil && strings.Contains(err.Error(), "Cannot find device") {
		return nil
	}
	return err
}
