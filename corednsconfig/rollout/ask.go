package rollout

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"
)

// answer is what a DNS server said.
type answer struct {
	Rcode   int
	Records int // in the answer section
	RTT     time.Duration
}

// exists: the name is there, if perhaps without records of the type asked for.
func (a answer) exists() bool { return a.Rcode == dns.RcodeSuccess }

func (a answer) String() string {
	if a.Rcode == dns.RcodeSuccess && a.Records == 0 {
		return "no records"
	}
	return dns.RcodeToString[a.Rcode]
}

// question is a name and a type to ask for, and how long the answer may take.
type question struct {
	Name    string
	Type    uint16
	Patient bool // an upstream may have to be given up first
}

const (
	clusterPatience  = 3 * time.Second
	upstreamPatience = 7 * time.Second // CoreDNS gives an upstream up after 5 s
)

func (q question) patience() time.Duration {
	if q.Patient {
		return upstreamPatience
	}
	return clusterPatience
}

// clusterName asks for the one name every cluster has.
func clusterName(domain string) question {
	return question{Name: dns.Fqdn("kubernetes.default.svc." + domain), Type: dns.TypeA}
}

// v6 asks for the address of the other family.
func (q question) v6() question {
	q.Type = dns.TypeAAAA
	return q
}

// ask puts a question to a port of a pod, over TCP.
func (a *access) ask(ctx context.Context, pod *corev1.Pod, port int, q question) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, q.patience())
	defer cancel()
	conn, err := a.dial(ctx, pod, port)
	if err != nil {
		return answer{}, err
	}
	defer conn.Close()
	return exchange(ctx, conn, q)
}

// exchange asks over a connection of TCP.
func exchange(ctx context.Context, conn net.Conn, q question) (answer, error) {
	msg := new(dns.Msg).SetQuestion(q.Name, q.Type)
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	start := time.Now()
	c := &dns.Conn{Conn: conn}
	if err := c.WriteMsg(msg); err != nil {
		return answer{}, fmt.Errorf("ask for %s: %w", q.Name, err)
	}
	reply, err := c.ReadMsg()
	if err != nil {
		return answer{}, fmt.Errorf("ask for %s: %w", q.Name, err)
	}
	return answer{Rcode: reply.Rcode, Records: len(reply.Answer), RTT: time.Since(start)}, nil
}

// silent says whether an error of ask is about the DNS server: it was reached, and refused, hung up, or said nothing. Any
// other error is about the way to it, and says nothing about DNS.
func silent(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, os.ErrDeadlineExceeded)
}

// fetch gets the figures of a CoreDNS.
func (a *access) fetch(ctx context.Context, pod *corev1.Pod, port int) (*figures, error) {
	conn, err := a.dial(ctx, pod, port)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://pod/metrics", nil)
	if err != nil {
		return nil, err
	}
	req.Close = true
	if err := req.Write(conn); err != nil {
		return nil, fmt.Errorf("metrics of pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		return nil, fmt.Errorf("metrics of pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	if err != nil {
		return nil, fmt.Errorf("metrics of pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("metrics of pod %s/%s: %s: %s", pod.Namespace, pod.Name, resp.Status, strings.TrimSpace(string(body[:min(len(body), 200)])))
	}
	return parseFigures(bytes.NewReader(body))
}
