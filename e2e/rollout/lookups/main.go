// Command lookups owns a client that asks a DNS server without pause, as a busy pod does, until its standard input ends;
// then it says how often it asked and what went wrong.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

// Tally is what it says.
type Tally struct {
	Asked  int
	Failed []string      // at most the first hundred
	Worst  time.Duration // of an answer

	port int
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: lookups SERVER:PORT NAME...")
		os.Exit(2)
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	t := Tally{port: rand.IntN(1 << 20)}
	for i := 0; ctx.Err() == nil; i++ {
		t.ask(os.Args[1], os.Args[2+i%(len(os.Args)-2)])
		time.Sleep(5 * time.Millisecond)
	}
	_ = json.NewEncoder(os.Stdout).Encode(t)
}

// ask asks once, from a port of its own, so that every question may go to another replica. Nothing is asked again.
func (t *Tally) ask(server, name string) {
	t.Asked++
	conn, err := t.dial(server)
	if err != nil {
		t.fail(name, err)
		return
	}
	defer conn.Close()
	client := dns.Client{Timeout: 2 * time.Second}
	reply, rtt, err := client.ExchangeWithConn(new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA), conn)
	switch {
	case err != nil:
	case reply.Rcode != dns.RcodeSuccess || len(reply.Answer) == 0:
		err = fmt.Errorf("%s, %d records", dns.RcodeToString[reply.Rcode], len(reply.Answer))
	default:
		t.Worst = max(t.Worst, rtt)
		return
	}
	t.fail(name, err)
}

// dial takes the next port that is free. Where the questions of a port go is remembered for half a minute (connection
// tracking): a port is taken again after minutes only, as with any client that does not ask a hundred times a second.
func (t *Tally) dial(server string) (*dns.Conn, error) {
	const lowest, highest = 12_000, 32_000
	for {
		t.port++
		dialer := net.Dialer{LocalAddr: &net.UDPAddr{Port: lowest + t.port%(highest-lowest)}}
		conn, err := dialer.Dial("udp", server)
		if err == nil {
			return &dns.Conn{Conn: conn}, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return nil, err
		}
	}
}

func (t *Tally) fail(name string, err error) {
	if len(t.Failed) < 100 {
		t.Failed = append(t.Failed, fmt.Sprintf("%s %s: %v", time.Now().UTC().Format(time.TimeOnly), name, err))
	}
}
