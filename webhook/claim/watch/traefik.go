package watch

import (
	"strings"
)

// readIngressRoute reads Traefik's routers: hosts are those in the rules' Host, HostSNI and HostHeader
// matchers and the hostname annotation, targets those of the target annotation; there is no status.
func readIngressRoute(kind string) func(*reader, decode) (meta, object, error) {
	return func(r *reader, read decode) (meta, object, error) {
		var in struct {
			Metadata meta `json:"metadata"`
			Spec     struct {
				Routes []struct {
					Match string `json:"match"`
				} `json:"routes"`
			} `json:"spec"`
		}
		if err := read(&in); err != nil {
			return in.Metadata, nil, err
		}
		c := r.base(kind, &in.Metadata)
		c.Targets = r.targetAnnotation(&in.Metadata)
		names := r.hostnames(&in.Metadata, "hostname")
		for _, route := range in.Spec.Routes {
			names = append(names, matchedHosts(route.Match)...)
		}
		c.Hosts = hosts(names...)
		return in.Metadata, fixed{c}, nil
	}
}

// matchedHosts finds the back-quoted names in the host matchers of a rule. HostRegexp is none: what it
// matches cannot be published.
func matchedHosts(rule string) []string {
	var names []string
	for {
		at := strings.Index(rule, "Host")
		if at < 0 {
			return names
		}
		rule = rule[at+len("Host"):]
		arguments, ok := cutCall(rule)
		if !ok {
			continue
		}
		for i, part := range strings.Split(arguments, "`") {
			if i%2 == 1 && part != "*" {
				names = append(names, strings.Clone(part))
			}
		}
	}
}

// cutCall returns what stands between the parentheses of "(…)", "SNI(…)" or "Header(…)".
func cutCall(s string) (string, bool) {
	for _, name := range []string{"SNI", "Header"} {
		s = strings.TrimPrefix(s, name)
	}
	s, ok := strings.CutPrefix(strings.TrimLeft(s, " \t\n"), "(")
	if !ok {
		return "", false
	}
	arguments, _, ok := strings.Cut(s, ")")
	return arguments, ok
}
