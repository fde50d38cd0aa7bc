// Package etcdlint owns the judgement on keys from which CoreDNS's etcd plugin answers: which of them it does not
// answer with, or answers otherwise than whoever wrote them thought, and what to do about each.
//
// What is said of CoreDNS was tried on CoreDNS 1.15 with just such keys.
package etcdlint

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
)

// Key is one key of etcd.
type Key struct {
	Name   string // full, "/skydns/org/example/www/1"
	Value  []byte
	Leased bool // it goes with a lease
}

// Finding is one thing that is wrong.
type Finding struct {
	Key      string   `json:"key"`
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	Detail   string   `json:"detail,omitempty"` // what is particular about this key, "the label any"
	Effect   string   `json:"effect"`           // what CoreDNS does
	Remedy   string   `json:"remedy"`
}

// Layout says where the keys are meant to be.
type Layout struct {
	Path  string   // of all keys, as in the Corefile: "/skydns"
	Zones []string // CoreDNS answers for, in lower case, without a dot at the end
}

// Lint judges the keys, which may come in any order, each once. Findings are sorted, the worst first.
func Lint(l Layout, keys []Key) []Finding {
	r := run{
		Layout: l, parents: make(map[string]struct{}, len(keys)), names: make(map[string]*name, len(keys)), zones: map[string]*zone{},
	}
	for _, zone := range l.Zones {
		r.zone(zone)
	}
	for _, k := range keys {
		for at := strings.LastIndexByte(k.Name, '/'); at > 0; at = strings.LastIndexByte(k.Name[:at], '/') {
			if _, known := r.parents[k.Name[:at]]; known {
				break
			}
			r.parents[k.Name[:at]] = struct{}{}
		}
	}
	for _, k := range keys {
		r.key(k)
	}
	r.answersOfOthers()
	r.wholeZones()
	slices.SortFunc(r.findings, func(a, b Finding) int {
		if a.Severity != b.Severity {
			return int(b.Severity) - int(a.Severity)
		}
		if c := strings.Compare(string(a.Code), string(b.Code)); c != 0 {
			return c
		}
		return strings.Compare(a.Key, b.Key)
	})
	return r.findings
}

// run is one call of Lint on its way.
type run struct {
	Layout
	parents  map[string]struct{} // paths below which there are keys
	names    map[string]*name    // with records
	free     []free              // records that belong to no group
	zones    map[string]*zone
	findings []Finding
}

// name is what is known of the records of one name.
type name struct{ key, alias, address string } // a key with it, of an alias, of an address; "" for none

// free is a record that is in the answers of the names above its own.
type free struct{ name, key string }

// zone is what is known of a zone.
type zone struct {
	keys, grouped, apex, nameServer bool
}

func (r *run) zone(name string) *zone {
	z := r.zones[name]
	if z == nil {
		z = &zone{}
		r.zones[name] = z
	}
	return z
}

func (r *run) find(key string, code Code, detail string) {
	m := meanings()[code]
	r.findings = append(r.findings, Finding{Key: key, Code: code, Severity: m.severity, Detail: detail, Effect: m.effect, Remedy: m.remedy})
}

// key judges one key by itself and notes what the later judgements need.
func (r *run) key(k Key) {
	rest, below := strings.CutPrefix(k.Name, r.Path+"/")
	if !below {
		r.find(k.Name, Outside, "it is not below "+r.Path)
		return
	}
	s, err := decode(k.Value)
	if err != nil {
		r.find(k.Name, Malformed, err.Error())
	}
	labels := strings.Split(rest, "/")
	slices.Reverse(labels)
	ours := strings.HasPrefix(labels[0], "$") && len(labels) > 1
	if ours {
		labels = labels[1:]
	}
	if !r.path(k.Name, labels) || err != nil {
		return
	}
	spelt := strings.Join(labels, ".")
	origin := r.zoneOf(spelt)
	if origin == "" {
		r.find(k.Name, Outside, "no zone holds "+spelt)
		return
	}
	if k.Leased {
		r.find(k.Name, Leased, "")
	}
	if _, hidden := r.parents[k.Name]; hidden && !reverse(spelt) {
		r.find(k.Name, Hidden, "")
	}
	r.value(k.Name, spelt, origin, s, ours)
}

// path judges where a key stands, and reports whether it can be asked for.
func (r *run) path(key string, labels []string) bool {
	good, length := true, -1
	for _, label := range labels {
		length += 1 + len(label)
		switch {
		case label == "":
			r.find(key, NoName, "a label is empty")
			return false
		case len(label) > 63:
			r.find(key, NoName, "the label "+label+" is longer than 63 bytes")
			return false
		case label == "*" || label == "any":
			r.find(key, Wildcard, "the label "+label)
			good = false
		case strings.ToLower(label) != label:
			r.find(key, UpperCase, "the label "+label)
			good = false
		}
	}
	if length > 253 {
		r.find(key, NoName, "the name is longer than 253 bytes")
		return false
	}
	return good
}

// value judges what a key holds. spelt is the name its path spells, without an id of the webhook's.
func (r *run) value(key, spelt, origin string, s service, ours bool) {
	z := r.zone(origin)
	z.keys = true
	owner := spelt
	if !ours {
		owner = strip(spelt, s.TargetStrip)
	}
	addr, addrErr := netip.ParseAddr(s.Host)
	isAddress := addrErr == nil && addr.Zone() == ""
	placeholder := s.Port == -1 && !isAddress && s.Host == owner || ours && owner == "apex.dns."+origin && s.Host == origin
	switch {
	case inZone(spelt, "apex.dns."+origin):
		z.apex = true
		owner = origin
	case inZone(spelt, "ns.dns."+origin):
		z.nameServer = true
		if s.Host != "" && !isAddress {
			r.find(key, NameServer, "its host is "+s.Host)
		}
	}
	if spelt == origin && ours && s.Group != "" {
		z.grouped = true
	}
	switch {
	case s.Host == "" && s.Text == "":
		r.find(key, Empty, "")
		return
	case s.Host != "" && s.Text != "":
		r.find(key, HostAndText, "")
	}
	if s.TTL == 0 && !placeholder && s.Priority != -1 {
		r.find(key, NoTTL, "")
	}
	if s.Host != "" && !isAddress && !isName(s.Host) {
		r.find(key, Host, "its host is "+s.Host)
	}
	if s.Host != "" && !isAddress && !placeholder && beyondAddress(spelt) {
		r.find(key, Pointer, "")
	}
	if placeholder {
		return
	}
	r.note(owner, origin, key, s, isAddress)
}

// note keeps a record for what is judged by several.
func (r *run) note(owner, origin, key string, s service, isAddress bool) {
	n := r.names[owner]
	if n == nil {
		n = &name{key: key}
		r.names[owner] = n
	}
	switch {
	case isAddress:
		n.address = key
	case s.Host != "" && s.Port <= 0 && !s.Mail && !reverse(owner) && !inZone(owner, "dns."+origin):
		n.alias = key
	}
	if n.alias != "" && n.address != "" {
		r.find(n.alias, AliasBeside, "beside "+n.address)
		n.alias = ""
	}
	if s.Group == "" && owner != origin {
		r.free = append(r.free, free{owner, key})
	}
}

// answersOfOthers finds the names that are answered with what belongs to names below them.
func (r *run) answersOfOthers() {
	said := map[string]bool{}
	for _, f := range r.free {
		origin := r.zoneOf(f.name)
		for above := parent(f.name); above != origin && inZone(above, origin); above = parent(above) {
			if n := r.names[above]; n != nil && !said[above] {
				said[above] = true
				r.find(n.key, Below, above+" is answered with "+f.key+", among others")
			}
		}
	}
}

// wholeZones finds what is missing in a zone.
func (r *run) wholeZones() {
	for origin, z := range r.zones {
		labels := strings.Split(origin, ".")
		slices.Reverse(labels)
		dir := r.Path + "/" + strings.Join(labels, "/")
		switch {
		case !z.keys:
			continue
		case !z.apex && !z.grouped:
			r.find(dir+"/dns/apex", NoApex, origin)
		case !z.apex:
			r.find(dir+"/dns/apex", SlowApex, origin)
		}
		if !z.nameServer {
			r.find(dir+"/dns/ns", NoNameServer, origin)
		}
	}
}

// zoneOf is the longest zone that holds the name.
func (r *run) zoneOf(name string) string {
	best := ""
	for _, zone := range r.Zones {
		if inZone(name, zone) && len(zone) > len(best) {
			best = zone
		}
	}
	return best
}

// service is the value of a key as the etcd plugin reads it.
type service struct {
	Host        string `json:"host"`
	Port        int    `json:"port"`
	Priority    int    `json:"priority"`
	Weight      int    `json:"weight"`
	Text        string `json:"text"`
	Mail        bool   `json:"mail"`
	TTL         uint32 `json:"ttl"`
	TargetStrip int    `json:"targetstrip"`
	Group       string `json:"group"`
}

func decode(value []byte) (s service, err error) {
	err = json.Unmarshal(value, &s)
	return s, err
}

func inZone(name, zone string) bool { return name == zone || strings.HasSuffix(name, "."+zone) }

func reverse(name string) bool { return inZone(name, "in-addr.arpa") || inZone(name, "ip6.arpa") }

// beyondAddress reports whether the name lies below that of one address.
func beyondAddress(name string) bool {
	labels := strings.Count(name, ".") - 1
	return inZone(name, "in-addr.arpa") && labels > 4 || inZone(name, "ip6.arpa") && labels > 32
}

func parent(name string) string {
	_, rest, _ := strings.Cut(name, ".")
	return rest
}

// strip cuts n labels off the front of a name, or none when it has no more than that.
func strip(name string, n int) string {
	rest := name
	for range n {
		if rest = parent(rest); rest == "" {
			return name
		}
	}
	return rest
}

// isName reports whether a host can be the name of one. The webhook puts labels that begin with "$" before
// the hosts of mail and service records.
func isName(host string) bool {
	host = strings.TrimSuffix(host, ".")
	if host == "" {
		return true // the root, which means "no host" (RFC 7505, RFC 2782)
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	if len(host) > 253 || strings.Trim(last, "0123456789") == "" {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || strings.Trim(strings.ToLower(label), "abcdefghijklmnopqrstuvwxyz0123456789-_$") != "" {
			return false
		}
	}
	return true
}
