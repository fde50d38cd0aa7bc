package watch

import (
	"net/netip"
	"slices"
	"strings"
	"time"
	"unique"

	"golang.org/x/net/idna"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/claim"
)

// Keep says which labels and annotations of objects are kept for rules to look at; a nil function keeps
// none. Annotations that external-dns, the overrides or the class of an Ingress need are always kept.
type Keep struct {
	Label      func(key string) bool
	Annotation func(key string) bool
}

// reader turns API objects into what is kept of them.
type reader struct {
	keep     Keep
	prefixes []string // of external-dns's annotations, each ending in "/"
}

// meta is what is read of an object's metadata.
type meta struct {
	Name              string            `json:"name"`
	Namespace         string            `json:"namespace"`
	CreationTimestamp time.Time         `json:"creationTimestamp"`
	Labels            map[string]string `json:"labels"`
	Annotations       map[string]string `json:"annotations"`
}

func (m *meta) key() key { return key{intern(m.Namespace), m.Name} }

// base starts the claim of an object.
func (r *reader) base(kind string, m *meta) *claim.Claim {
	return &claim.Claim{
		Ref:         claim.Ref{Kind: kind, Namespace: intern(m.Namespace), Name: m.Name},
		Labels:      choose(m.Labels, func(k string) bool { return r.keep.Label != nil && r.keep.Label(k) }),
		Annotations: choose(m.Annotations, r.keepsAnnotation),
	}
}

func (r *reader) keepsAnnotation(k string) bool {
	for _, prefix := range r.prefixes {
		if strings.HasPrefix(k, prefix) {
			return true
		}
	}
	return strings.HasPrefix(k, "hub-dns-operator.io/") || k == ingressClassAnnotation ||
		r.keep.Annotation != nil && r.keep.Annotation(k)
}

func choose(from map[string]string, wanted func(string) bool) map[string]string {
	var chosen map[string]string
	for k, v := range from {
		if wanted(k) {
			if chosen == nil {
				chosen = map[string]string{}
			}
			chosen[intern(k)] = v
		}
	}
	return chosen
}

// annotation is external-dns's annotation of that name, under the first prefix that has it.
func (r *reader) annotation(m *meta, name string) (string, bool) {
	for _, prefix := range r.prefixes {
		if v, ok := m.Annotations[prefix+name]; ok {
			return v, true
		}
	}
	return "", false
}

// hostnames are the hosts in a comma separated annotation, under all prefixes together: which of them
// external-dns was told to read is not known here.
func (r *reader) hostnames(m *meta, name string) []string {
	var all []string
	for _, prefix := range r.prefixes {
		all = append(all, splitList(m.Annotations[prefix+name])...)
	}
	return all
}

// targetAnnotation is what external-dns publishes instead of the object's status.
func (r *reader) targetAnnotation(m *meta) []string {
	v, _ := r.annotation(m, "target")
	return targets(splitList(v)...)
}

// ignored reports whether external-dns leaves the object to another controller.
func (r *reader) ignored(m *meta) bool {
	v, ok := r.annotation(m, "controller")
	return ok && v != "dns-controller"
}

func splitList(s string) []string {
	if s == "" {
		return nil
	}
	list := strings.Split(strings.ReplaceAll(s, " ", ""), ",")
	for i := range list {
		list[i] = strings.Clone(list[i]) // not to keep the whole annotation for one name of it
	}
	return list
}

// hosts returns the canonical form of the names that DNS can hold, sorted, without duplicates.
func hosts(names ...string) []string {
	var canonical []string
	for _, n := range names {
		if c, ok := host(n); ok {
			canonical = append(canonical, c)
		}
	}
	slices.Sort(canonical)
	return slices.Clip(slices.Compact(canonical))
}

func host(name string) (string, bool) {
	c, err := backend.Name(name)
	if err == nil {
		return c, true
	}
	ascii, err := idna.ToASCII(name)
	if err != nil {
		return "", false
	}
	c, err = backend.Name(ascii)
	return c, err == nil
}

// targets returns the canonical form of addresses and host names, sorted, without duplicates.
func targets(values ...string) []string {
	var canonical []string
	for _, v := range values {
		if addr, err := netip.ParseAddr(v); err == nil {
			canonical = append(canonical, intern(addr.String()))
		} else if name, err := backend.Name(v); err == nil {
			canonical = append(canonical, intern(name))
		}
	}
	slices.Sort(canonical)
	return slices.Clip(slices.Compact(canonical))
}

// publish sets a claim's hosts and what each of them publishes.
func publish(c *claim.Claim, perHost map[string][]string) {
	c.Hosts, c.Targets, c.HostTargets = nil, nil, nil
	differ := false
	for h, t := range perHost {
		differ = differ || len(c.Hosts) > 0 && !slices.Equal(t, c.Targets)
		c.Hosts = append(c.Hosts, h)
		c.Targets = merge(c.Targets, t)
	}
	slices.Sort(c.Hosts)
	if differ {
		c.HostTargets = perHost
	}
}

// merge returns the sorted union of two sorted lists.
func merge(a, b []string) []string {
	if len(a) == 0 {
		return b
	}
	if len(b) == 0 {
		return a
	}
	both := append(slices.Clone(a), b...)
	slices.Sort(both)
	return slices.Clip(slices.Compact(both))
}

// intern returns the one copy of a string that many objects share.
func intern(s string) string {
	if s == "" {
		return ""
	}
	return unique.Make(s).Value()
}
