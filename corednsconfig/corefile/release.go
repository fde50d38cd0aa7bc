package corefile

import (
	"fmt"
	"slices"
)

// span is the releases that have something: from since, to before until. Zero values leave an end open.
type span struct{ since, until Version }

// from is every release since 1.minor.patch.
func from(minor, patch int) span { return span{since: Version{1, minor, patch}} }

// why says why v has it not; "" if it has, or if v is not known.
func (s span) why(v Version) string {
	switch {
	case !v.Known():
		return ""
	case s.since.Known() && !v.AtLeast(s.since):
		return fmt.Sprintf("needs CoreDNS %s, this one is %s", s.since, v)
	case s.until.Known() && v.AtLeast(s.until):
		return fmt.Sprintf("was taken out in CoreDNS %s, this one is %s", s.until, v)
	}
	return ""
}

// directives are the plugins of the official releases (their plugin.cfg and release notes). Distributions that add some are
// what [Rules].Plugins is for.
func directives() map[string]span {
	all := map[string]span{
		"metadata": from(2, 0), "geoip": from(8, 5), "cancel": from(5, 0), "proxyproto": from(14, 2),
		"quic": from(12, 2), "grpc_server": from(13, 2), "https": from(13, 2), "https3": from(13, 2),
		"timeouts": from(10, 1), "multisocket": from(12, 0), "reload": from(1, 0), "bufsize": from(6, 6),
		"ready": from(5, 0), "shed": from(14, 7), "local": from(8, 1), "dns64": from(7, 0),
		"siit": from(15, 0), "any": from(5, 1), "tsig": from(9, 4), "acl": from(6, 4),
		"header": from(8, 5), "minimal": from(8, 4), "transfer": from(6, 5), "dynupdate": from(15, 0),
		"azure": from(6, 2), "clouddns": from(6, 3), "k8s_external": from(3, 0), "loop": from(2, 1),
		"grpc": from(5, 0), "sign": from(6, 3), "view": from(10, 0), "nomad": from(13, 0),
		"proxy": {until: Version{1, 5, 0}}, "federation": {until: Version{1, 7, 0}},
	}
	for _, name := range []string{
		"root", "nsid", "bind", "debug", "trace", "health", "pprof", "prometheus", "errors", "log", "dnstap", "chaos",
		"loadbalance", "rewrite", "autopath", "cache", "dnssec", "tls", "template", "hosts", "route53", "kubernetes",
		"file", "auto", "secondary", "etcd", "forward", "erratic", "whoami", "on",
	} {
		all[name] = span{}
	}
	return all
}

// options are those of the plugins a cluster's Corefile is made of. A plugin that is not here is not looked into.
func options() map[string]map[string]span {
	return map[string]map[string]span{
		"bind": {"except": from(7, 1)},
		"cache": {
			"success": {}, "denial": {}, "prefetch": {}, "serve_stale": from(6, 6), "servfail": from(9, 4),
			"disable": from(9, 4), "keepttl": from(10, 1), "serve_stale_policy": from(14, 4),
		},
		"errors": {"consolidate": from(2, 6), "stacktrace": from(9, 3)},
		"forward": {
			"except": {}, "max_fails": {}, "health_check": {}, "force_tcp": {}, "tls": {}, "tls_servername": {}, "expire": {},
			"policy": {}, "prefer_udp": from(2, 0), "max_concurrent": from(6, 8), "next": from(11, 4),
			"failfast_all_unhealthy_upstreams": from(12, 1), "failover": from(13, 0), "max_connect_attempts": from(13, 2),
			"max_age": from(14, 3), "max_idle_conns": from(13, 2), "read_timeout": from(14, 4), "doh_method": from(14, 5),
			"next_on_nodata": from(14, 4), "resolver": from(14, 4), "source_address": from(14, 6),
		},
		"health": {"lameduck": {}},
		"kubernetes": {
			"endpoint_pod_names": {}, "pods": {}, "namespaces": {}, "endpoint": {}, "tls": {}, "labels": {}, "fallthrough": {},
			"ttl": {}, "noendpoints": {}, "ignore": {}, "kubeconfig": {}, "namespace_labels": {}, "resyncperiod": {until: Version{1, 7, 0}},
			"upstream": {until: Version{1, 7, 0}}, "transfer": {until: Version{1, 8, 6}}, "multicluster": from(12, 2),
			"startup_timeout": from(12, 3), "apiserver_qps": from(13, 2), "apiserver_burst": from(13, 2),
			"apiserver_max_inflight": from(13, 2), "zonal": from(14, 4),
		},
		"loadbalance": {"reload": from(8, 7), "prefer": from(12, 4)},
		"log":         {"class": {}},
		"loop":        {},
		"prometheus":  {"runtime_metrics": from(13, 2), "tls": from(13, 2)},
		"ready":       {"monitor": from(12, 2)},
		"reload":      {},
		"whoami":      {},
	}
}

// onlyOnce are plugins that CoreDNS refuses to see twice in one block.
func onlyOnce(name string, v Version) bool {
	if name == "forward" {
		return v.Known() && !v.AtLeast(Version{1, 9, 4})
	}
	return slices.Contains([]string{"errors", "loop", "kubernetes", "ready", "prometheus", "cache"}, name)
}
