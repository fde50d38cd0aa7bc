// Command lookups owns a client that asks a DNS server without pause, as a busy pod does, until its standard input ends;
// then it says how often it asked and what went wrong.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/miekg/dns"
)

// Tally is what it says.
type Tally struct {
	Asked  int
	Failed []string      // at most the first hundred
	Worst  time.Duration // of an answer
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
	var t Tally
	for i := 0; ctx.Err() == nil; i++ {
		t.ask(os.Args[1], os.Args[2+i%(len(os.Args)-2)])
		time.Sleep(5 * time.Millisecond)
	}
	_ = json.NewEncoder(os.Stdout).Encode(t)
}

// ask asks once, from a port of its own, so that every question may go to another replica. Nothing is asked again.
func (t *Tally) ask(server, name string) {
	t.Asked++
	client := dns.Client{Timeout: 2 * time.Second}
	reply, rtt, err := client.Exchange(new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA), server)
	switch {
	case err != nil:
	case reply.Rcode != dns.RcodeSuccess || len(reply.Answer) == 0:
		err = fmt.Errorf("%s, %d records", dns.RcodeToString[reply.Rcode], len(reply.Answer))
	default:
		t.Worst = max(t.Worst, rtt)
		return
	}
	if len(t.Failed) < 100 {
		t.Failed = append(t.Failed, fmt.Sprintf("%s %s: %v", time.Now().UTC().Format(time.TimeOnly), name, err))
	}
}
