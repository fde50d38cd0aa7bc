package fleet

import (
	"bufio"
	"context"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coredns/caddy/caddyfile"
	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/apimachinery/pkg/util/httpstream/spdy"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const corefilePath = "/etc/coredns/Corefile"

// coreDNS stands in for the CoreDNS of one replica.
type coreDNS struct {
	read, hash string // the file it read last, and what it reports for it; it reports nothing before the first reload
	failed     int
	loaded     []caddyfile.ServerBlock
}

func startCoreDNS(text string) (*coreDNS, error) {
	blocks, _, err := readCorefile(text)
	return &coreDNS{read: text, loaded: blocks}, err
}

// readCorefile parses a Corefile with CoreDNS's own parser, and hashes it as its reload plugin does.
func readCorefile(text string) ([]caddyfile.ServerBlock, string, error) {
	blocks, err := caddyfile.Parse(corefilePath, strings.NewReader(text), nil)
	if err != nil {
		return nil, "", err
	}
	parsed, err := json.Marshal(blocks)
	if err != nil {
		return nil, "", err
	}
	sum := sha512.Sum512(parsed)
	return blocks, hex.EncodeToString(sum[:]), nil
}

// look has a replica read the file if it is time; the lock is held.
func (c *served) look(d *coreDNS) {
	if d.read == c.file || time.Since(c.changed) < c.reload {
		return
	}
	blocks, hash, err := readCorefile(c.file)
	if err != nil {
		return // a warning in the log, and nothing else
	}
	d.read, d.hash = c.file, hash
	if c.refuses != "" && strings.Contains(c.file, c.refuses) {
		d.failed++
		return
	}
	d.loaded = blocks
}

// answer is what a CoreDNS with a configuration says; the lock is held. The central DNS knows every name.
func (c *served) answer(blocks []caddyfile.ServerBlock, question dns.Question) (rcode int, records []dns.RR) {
	name := strings.ToLower(question.Name)
	best, at := "", -1
	for i, b := range blocks {
		for _, key := range b.Keys {
			if zone := zoneOf(key); dns.IsSubDomain(zone, name) && len(zone) > len(best) {
				best, at = zone, i
			}
		}
	}
	switch {
	case at < 0:
		return dns.RcodeRefused, nil
	case blocks[at].Tokens["kubernetes"] != nil && dns.IsSubDomain("cluster.local.", name):
		if name != "kubernetes.default.svc.cluster.local." {
			return dns.RcodeNameError, nil
		}
		return dns.RcodeSuccess, []dns.RR{&dns.A{
			Hdr: dns.RR_Header{Name: question.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 30}, A: net.IPv4(10, 96, 0, 1),
		}}
	case blocks[at].Tokens["forward"] == nil:
		return dns.RcodeServerFailure, nil
	case blocks[at].Tokens["forward"][2].Text == servedAddress: // one that asks as clients do
		replica := c.replicas["coredns-0"]
		c.look(replica)
		return c.answer(replica.loaded, question)
	case best == ".":
		return dns.RcodeNameError, nil
	}
	return dns.RcodeSuccess, nil
}

func zoneOf(key string) string {
	zone, _, _ := strings.Cut(key, ":")
	return dns.CanonicalName(zone)
}

// figures are the metrics of a replica; the lock is held.
func (d *coreDNS) figures() string {
	text := fmt.Sprintf("# TYPE coredns_reload_failed_total counter\ncoredns_reload_failed_total %d\n# TYPE coredns_plugin_enabled gauge\n", d.failed)
	for _, b := range d.loaded {
		if b.Tokens["forward"] != nil && b.Tokens["prometheus"] != nil {
			text += fmt.Sprintf("coredns_plugin_enabled{name=\"forward\",server=\"dns://:53\",view=\"\",zone=%q} 1\n", zoneOf(b.Keys[0]))
		}
	}
	if d.hash != "" {
		text += fmt.Sprintf("# TYPE coredns_reload_version_info gauge\ncoredns_reload_version_info{hash=\"sha512\",value=%q} 1\n", d.hash)
	}
	return text
}

// forward serves the ports of a pod, as a kubelet does behind an API server.
func (c *served) forward(w http.ResponseWriter, r *http.Request) {
	var pod corev1.Pod
	if err := c.api.Get(r.Context(), client.ObjectKey{Namespace: "kube-system", Name: r.PathValue("name")}, &pod); err != nil {
		reply(w, r, nil, err)
		return
	}
	if _, err := httpstream.Handshake(r, w, []string{"portforward.k8s.io"}); err != nil {
		return
	}
	var mu sync.Mutex
	complaints := map[string]httpstream.Stream{}
	conn := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(s httpstream.Stream, replied <-chan struct{}) error {
		mu.Lock()
		defer mu.Unlock()
		id := s.Headers().Get(corev1.PortForwardRequestIDHeader)
		if s.Headers().Get(corev1.StreamType) == corev1.StreamTypeError {
			complaints[id] = s
			return nil
		}
		complaint := complaints[id]
		if delete(complaints, id); complaint == nil {
			return errors.New("no stream for errors came before that for data")
		}
		go func() {
			<-replied
			if err := c.speak(&pod, s.Headers().Get(corev1.PortHeader), s); err != nil {
				_, _ = io.WriteString(complaint, err.Error())
			}
			_, _ = complaint.Close(), s.Close()
		}()
		return nil
	})
	if conn != nil {
		<-conn.CloseChan()
	}
}

// speak is one connection to a port of a pod.
func (c *served) speak(pod *corev1.Pod, port string, s io.ReadWriter) error {
	switch replica := c.replicas[pod.Name]; {
	case port == "53":
		return c.serveDNS(pod, s)
	case port == "9153" && replica != nil:
		if _, err := http.ReadRequest(bufio.NewReader(s)); err != nil {
			return err
		}
		c.mu.Lock()
		c.look(replica)
		text := replica.figures()
		c.mu.Unlock()
		_, err := fmt.Fprintf(s, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(text), text)
		return err
	}
	return fmt.Errorf("port %s: connect: connection refused", port)
}

// serveDNS answers one question over TCP.
func (c *served) serveDNS(pod *corev1.Pod, s io.ReadWriter) error {
	var size [2]byte
	if _, err := io.ReadFull(s, size[:]); err != nil {
		return err
	}
	text := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(s, text); err != nil {
		return err
	}
	question := new(dns.Msg)
	if err := question.Unpack(text); err != nil {
		return err
	}
	blocks, err := c.runs(pod)
	if err != nil {
		return err
	}
	said := new(dns.Msg).SetReply(question)
	c.mu.Lock()
	said.Rcode, said.Answer = c.answer(blocks, question.Question[0])
	c.mu.Unlock()
	if text, err = said.Pack(); err != nil {
		return err
	}
	_, err = s.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(text))), text...)) //nolint:gosec // a message of DNS
	return err
}

// runs is the configuration that the CoreDNS of a pod has loaded. One that is no replica has what its ConfigMap says.
func (c *served) runs(pod *corev1.Pod) ([]caddyfile.ServerBlock, error) {
	if replica := c.replicas[pod.Name]; replica != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.look(replica)
		return replica.loaded, nil
	}
	for _, v := range pod.Spec.Volumes {
		if v.ConfigMap == nil {
			continue
		}
		key := client.ObjectKey{Namespace: pod.Namespace, Name: v.ConfigMap.Name}
		var files corev1.ConfigMap
		if err := c.api.Get(context.Background(), key, &files); err != nil {
			return nil, err
		}
		for _, item := range v.ConfigMap.Items {
			if item.Path == "Corefile" {
				blocks, _, err := readCorefile(string(files.BinaryData[item.Key]))
				return blocks, err
			}
		}
	}
	return nil, fmt.Errorf("pod %s: connect: connection refused", pod.Name)
}
