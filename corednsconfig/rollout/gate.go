package rollout

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/spokedns/spokedns/corednsconfig/dialect"
)

// gate starts CoreDNSes to see whether they load a configuration and answer.
type gate interface {
	name() string
	// try runs both configurations and asks them. An error says that it cannot be done here, and nothing about the
	// candidate.
	try(ctx context.Context, v *visit, current, candidate trial) (before, after finding, err error)
}

// trial is a configuration, and what to ask a CoreDNS that runs it.
type trial struct {
	dialect.Candidate
	Domain    string    // of the cluster's own names
	Cluster   question  // exists in every cluster
	Negative  question  // exists in none
	Forwarded *question // goes through the forward; nil: not asked
}

// finding is what became of a trial.
type finding struct {
	Loaded bool
	Said   string // the last words of one that did not load
	// Cluster, Negative, Forwarded: whether the questions were answered as they should be.
	Cluster, Negative, Forwarded probe
}

func trialOf(c dialect.Candidate, domain string, forwarded *question) trial {
	cluster := clusterName(domain)
	return trial{
		Candidate: c, Domain: domain, Cluster: cluster, Forwarded: forwarded,
		Negative: question{Name: dns.Fqdn("spokedns-no-such-service.default.svc." + domain), Type: dns.TypeA},
	}
}

// verdict is what the findings mean for the candidate.
type verdict string

const (
	passed       verdict = "Passed"
	failed       verdict = "Failed"
	inconclusive verdict = "Inconclusive" // the current configuration does no better
)

// judge compares the candidate with what is there now: what was wrong before us is not blamed on us. proven: the forwards
// have worked in this cluster before, so that upstreams that do not answer are an outage, not a mistake.
func judge(before, after finding, proven bool) (verdict, string) {
	switch {
	case !after.Loaded && !before.Loaded:
		return inconclusive, "neither the candidate nor the current configuration loads in a CoreDNS of ours: " + cmp.Or(before.Said, after.Said)
	case !after.Loaded:
		return failed, "CoreDNS does not load it: " + after.Said
	case !after.Cluster.OK && !before.Cluster.OK:
		return inconclusive, "the cluster's own names resolve neither with the candidate nor with the current configuration: " + after.Cluster.Why
	case !after.Cluster.OK:
		return failed, "CoreDNS loads it and no longer answers the cluster's own names: " + after.Cluster.Why
	case !after.Negative.OK && before.Negative.OK:
		return failed, "a name that does not exist is no longer refused: " + after.Negative.Why
	case !after.Forwarded.OK && !proven:
		return failed, "the upstreams do not answer what is forwarded to them: " + after.Forwarded.Why
	case !after.Forwarded.OK:
		return passed, "CoreDNS loads it; the upstreams do not answer at the moment: " + after.Forwarded.Why
	}
	return passed, "CoreDNS loads it, and answers the cluster's own names and what is forwarded"
}

// tryOut puts the change through the load gate. tested: a CoreDNS has loaded it. False: the report says why nothing is to
// be written.
func (v *visit) tryOut(ctx context.Context) (tested, ok bool, err error) {
	if v.wish.Gate == GateOff {
		return false, true, nil
	}
	why := "nothing that could be tried: somebody else makes the configuration of this"
	if candidate := v.change.Cluster; candidate != nil && v.d.Cluster.Corefile != nil {
		domain := cmp.Or(v.d.ClusterDomain, fallbackDomain)
		forwarded := questions(v.wish)[0]
		current := dialect.Candidate{Corefile: v.d.Cluster.Corefile, Process: v.d.Cluster.Process, Site: v.d.Cluster.Site}
		var reasons []string
		for _, g := range v.e.gates {
			before, after, err := g.try(ctx, v, trialOf(current, domain, nil), trialOf(*candidate, domain, &forwarded))
			if ctx.Err() != nil {
				return false, false, ctx.Err()
			}
			if err != nil {
				v.log.Info("load gate not to be had", "gate", g.name(), "err", err)
				reasons = append(reasons, fmt.Sprintf("%s: %v", g.name(), err))
				continue
			}
			verdict, text := judge(before, after, same(v.memory.Good, v.wish.Forwards))
			v.log.Info("load gate", "gate", g.name(), "verdict", string(verdict), "because", text)
			switch verdict {
			case passed:
				v.report.yes(Validated, "LoadGate", "%s: %s", g.name(), text)
				return true, true, nil
			case failed:
				v.report.no(Validated, "LoadGate", "%s: %s", g.name(), text)
				v.report.no(Applied, "Refused", "the load gate refused what was to be written")
				v.notify(EventRefused, "%s: %s", g.name(), text)
				return false, false, nil
			case inconclusive:
				reasons = append(reasons, fmt.Sprintf("%s: %s", g.name(), text))
			}
		}
		why = strings.Join(reasons, "; ")
	}
	if v.wish.Gate == GateRequire || v.change.Cluster != nil && !v.d.Cluster.Reload.Watched {
		// Pods that do not look for changes would meet the candidate for the first time at their next restart.
		v.report.no(Validated, "Untested", "%s", why)
		v.report.no(Applied, "Refused", "it could not be tried before it is written")
		v.notify(EventRefused, "it could not be tried before it is written: %s", why)
		return false, false, nil
	}
	v.report.yes(Validated, "StaticGate", "nothing is known to be wrong with it; it was not tried: %s", why)
	return false, true, nil
}

// questioner puts one question to the CoreDNS of a trial.
type questioner func(ctx context.Context, q question) (answer, error)

// examineTrial asks a CoreDNS of ours until it answers well, or is given up. ended tells, with its last words, that it
// has ended.
func examineTrial(ctx context.Context, t trial, ask questioner, ended func(context.Context) (string, bool)) finding {
	const between = 250 * time.Millisecond
	const settling = 12 * time.Second // the kubernetes plugin waits 5 s for its first look
	var f finding
	start := time.Now()
	for {
		got, err := ask(ctx, t.Cluster)
		if err == nil {
			f.Loaded = true
			if f.Cluster = judgeAnswer(t.Cluster, got, got.exists() && got.Records > 0); f.Cluster.OK {
				break
			}
		} else {
			f.Cluster = probe{Why: err.Error()}
		}
		if said, over := ended(ctx); over {
			return finding{Said: said}
		}
		if time.Since(start) > settling || pause(ctx, between) != nil {
			break
		}
	}
	if !f.Loaded {
		// It runs, and nobody answers where cluster DNS is to answer.
		f.Loaded = true
		return f
	}
	if got, err := ask(ctx, t.Negative); err == nil {
		f.Negative = judgeAnswer(t.Negative, got, got.Rcode == dns.RcodeNameError)
	} else {
		f.Negative = probe{Why: err.Error()}
	}
	if t.Forwarded == nil {
		f.Forwarded = probe{OK: true}
	} else if got, err := ask(ctx, *t.Forwarded); err == nil {
		f.Forwarded = judgeAnswer(*t.Forwarded, got, got.exists())
	} else {
		f.Forwarded = probe{Why: err.Error()}
	}
	return f
}

func judgeAnswer(q question, a answer, ok bool) probe {
	if ok {
		return probe{OK: true}
	}
	return probe{Why: fmt.Sprintf("%s: %s", q.Name, a)}
}
