package corefile

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// argumentFault says what CoreDNS would refuse about the arguments of d, which stand before its brace; "" if nothing is
// known against them. Words with references are not looked into.
func argumentFault(d directive, v Version) string {
	args := d.args()
	if slices.ContainsFunc(args, isOpenReference) {
		return ""
	}
	switch d.name {
	case "loop", "whoami":
		if len(args) > 0 {
			return fmt.Sprintf("takes no argument, %q is too much", args[0])
		}
	case "errors":
		if len(args) > 1 || len(args) == 1 && args[0] != "stdout" {
			return fmt.Sprintf("takes stdout or nothing, not %q", strings.Join(args, " "))
		}
	case "health", "ready", "prometheus":
		return listenFault(args)
	case "bind":
		return bindFault(args)
	case "cache":
		return cacheFault(args)
	case "reload":
		return reloadFault(args)
	case "loadbalance":
		if len(args) > 0 && args[0] != "round_robin" && args[0] != "weighted" {
			return fmt.Sprintf("policy %q: want round_robin or weighted", args[0])
		}
	case "forward":
		return forwardFault(args, v)
	}
	return ""
}

// isOpenReference is true of words that something else fills in: the environment, or NodeLocal DNSCache its placeholders.
func isOpenReference(word string) bool {
	return strings.Contains(word, "__PILLAR__") || strings.Contains(word, "{$") || strings.Contains(word, "{%")
}

func listenFault(args []string) string {
	switch {
	case len(args) > 1:
		return fmt.Sprintf("takes one address, %q is too much", args[1])
	case len(args) == 1:
		if _, _, err := net.SplitHostPort(args[0]); err != nil {
			return fmt.Sprintf("address %q: want host:port, for example :9153", args[0])
		}
	}
	return ""
}

// bindFault leaves names alone: they may be interfaces of the pod.
func bindFault(args []string) string {
	if len(args) == 0 {
		return "needs an address or the name of an interface"
	}
	for _, a := range args {
		if strings.Trim(a, "0123456789.") != "" && !strings.Contains(a, ":") {
			continue
		}
		if _, err := netip.ParseAddr(a); err != nil {
			return fmt.Sprintf("%q is neither an IP address nor the name of an interface", a)
		}
	}
	return ""
}

func cacheFault(args []string) string {
	if len(args) == 0 {
		return ""
	}
	if ttl, err := strconv.Atoi(args[0]); err == nil && ttl <= 0 {
		return fmt.Sprintf("TTL %d: want at least 1 second", ttl)
	}
	return ""
}

func reloadFault(args []string) string {
	if len(args) > 2 {
		return fmt.Sprintf("takes an interval and a jitter, %q is too much", args[2])
	}
	for i, least := range []time.Duration{2 * time.Second, time.Second}[:len(args)] {
		d, err := time.ParseDuration(args[i])
		if err != nil {
			return fmt.Sprintf("%q is not a duration such as 30s", args[i])
		}
		if d < least && (i == 0 || d != 0) {
			return fmt.Sprintf("%s is too short: want at least %s", args[i], least)
		}
	}
	return ""
}

func forwardFault(args []string, v Version) string {
	if len(args) == 0 {
		return "needs a zone and at least one upstream, for example: forward . 10.0.0.10"
	}
	if len(args) == 1 {
		return fmt.Sprintf("%q is followed by no upstream", args[0])
	}
	if len(args)-1 > maxUpstreams {
		return fmt.Sprintf("%d upstreams: CoreDNS takes %d", len(args)-1, maxUpstreams)
	}
	for _, to := range args[1:] {
		scheme, host, found := strings.Cut(to, "://")
		if !found {
			scheme, host = "dns", to
		}
		if since, ok := map[string]Version{"dns": {}, "tls": {}, "https": {1, 14, 5}, "quic": {1, 14, 4}}[scheme]; !ok {
			return fmt.Sprintf("upstream %q: want dns:// or tls://", to)
		} else if why := (span{since: since}).why(v); why != "" {
			return fmt.Sprintf("upstream %q: %s:// %s", to, scheme, why)
		}
		host, _, _ = strings.Cut(host, "%")
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil || strings.Contains(host, "/") {
			continue // an address, or a file like /etc/resolv.conf
		}
		if strings.Trim(host, "0123456789.:[]") == "" {
			return fmt.Sprintf("upstream %q is not an IP address", to)
		}
		if why := from(14, 4).why(v); why != "" {
			return fmt.Sprintf("upstream %q: a host name %s; want an IP address", to, why)
		}
	}
	return ""
}

// optionFault says what CoreDNS would refuse about one option line of the plugin.
func optionFault(plugin string, line []string, v Version) string {
	if slices.ContainsFunc(line, isOpenReference) {
		return ""
	}
	name, args := line[0], line[1:]
	switch plugin + " " + name {
	case "cache success", "cache denial":
		return capacityFault(args)
	case "cache servfail":
		return durationFault(args, 5*time.Minute)
	case "cache serve_stale":
		return serveStaleFault(args, v)
	case "forward policy":
		if len(args) == 0 || !slices.Contains([]string{"random", "round_robin", "sequential"}, args[0]) {
			return fmt.Sprintf("%q: want random, round_robin or sequential", strings.Join(args, " "))
		}
	case "forward max_fails", "forward max_concurrent":
		if len(args) == 0 {
			return "needs a number"
		}
		if _, err := strconv.ParseUint(args[0], 10, 32); err != nil {
			return fmt.Sprintf("%q is not a number from 0 up", args[0])
		}
	case "forward expire", "forward health_check":
		return durationFault(args[:min(1, len(args))], 0)
	case "forward force_tcp", "forward prefer_udp":
		if len(args) > 0 {
			return fmt.Sprintf("takes no argument, %q is too much", args[0])
		}
	case "forward except":
		if len(args) == 0 {
			return "needs a zone"
		}
	case "health lameduck":
		if len(args) != 1 {
			return "takes one duration, such as 5s"
		}
		if _, err := time.ParseDuration(args[0]); err != nil {
			return fmt.Sprintf("%q is not a duration such as 5s", args[0])
		}
	case "kubernetes pods":
		if len(args) != 1 || !slices.Contains([]string{"disabled", "insecure", "verified"}, args[0]) {
			return fmt.Sprintf("%q: want disabled, insecure or verified", strings.Join(args, " "))
		}
	case "kubernetes ttl":
		if len(args) == 0 {
			return "needs a number of seconds"
		}
		if ttl, err := strconv.Atoi(args[0]); err != nil || ttl < 0 || ttl > 3600 {
			return fmt.Sprintf("%q: want 0 to 3600 seconds", args[0])
		}
	}
	return ""
}

// capacityFault looks at "success|denial CAPACITY [TTL] [MINTTL]".
func capacityFault(args []string) string {
	if len(args) == 0 {
		return "needs a capacity"
	}
	for i, a := range args[:min(3, len(args))] {
		n, err := strconv.Atoi(a)
		switch {
		case err != nil:
			return fmt.Sprintf("%q is not a number", a)
		case i == 1 && n <= 0:
			return fmt.Sprintf("TTL %d: want at least 1 second", n)
		case i == 2 && n < 0:
			return fmt.Sprintf("least TTL %d: want 0 or more seconds", n)
		}
	}
	return ""
}

func durationFault(args []string, most time.Duration) string {
	if len(args) != 1 {
		return "takes one duration, such as 5s"
	}
	d, err := time.ParseDuration(args[0])
	switch {
	case err != nil:
		return fmt.Sprintf("%q is not a duration such as 5s", args[0])
	case d < 0:
		return fmt.Sprintf("%s is negative", args[0])
	case most > 0 && d > most:
		return fmt.Sprintf("%s is too long: want at most %s", args[0], most)
	}
	return ""
}

// serveStaleFault looks at "serve_stale [DURATION] [MODE] [TIMEOUT]".
func serveStaleFault(args []string, v Version) string {
	if len(args) == 0 {
		return ""
	}
	if fault := durationFault(args[:1], 0); fault != "" {
		return fault
	}
	if len(args) > 1 {
		if why := from(9, 2).why(v); why != "" {
			return fmt.Sprintf("mode %q %s", args[1], why)
		}
		if mode := strings.ToLower(args[1]); mode != "immediate" && mode != "verify" {
			return fmt.Sprintf("mode %q: want immediate or verify", args[1])
		}
	}
	if len(args) > 2 {
		if why := from(14, 4).why(v); why != "" {
			return fmt.Sprintf("timeout %q %s", args[2], why)
		}
		if strings.EqualFold(args[1], "verify") {
			return durationFault(args[2:3], 0)
		}
	}
	return ""
}
