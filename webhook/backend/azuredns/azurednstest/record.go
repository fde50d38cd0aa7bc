package azurednstest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spokedns/spokedns/webhook/backend"
)

// recordSet is a record set as the REST API of either service shows it.
type recordSet struct {
	setKey
	etag  string
	props properties
}

// properties are those of the public API. The private one has the same under keys that begin with a small
// letter; encoding/json reads both into these fields.
type properties struct {
	TTL              *int64            `json:"TTL,omitempty"`
	Metadata         map[string]string `json:"metadata,omitempty"`
	FQDN             string            `json:"fqdn,omitempty"`
	TargetResource   *resource         `json:"targetResource,omitempty"`
	IsAutoRegistered bool              `json:"isAutoRegistered,omitempty"`
	A                []recordA         `json:"ARecords,omitempty"`
	AAAA             []recordAAAA      `json:"AAAARecords,omitempty"`
	CAA              []recordCAA       `json:"caaRecords,omitempty"`
	CNAME            *recordCNAME      `json:"CNAMERecord,omitempty"`
	MX               []recordMX        `json:"MXRecords,omitempty"`
	NS               []recordNS        `json:"NSRecords,omitempty"`
	PTR              []recordPTR       `json:"PTRRecords,omitempty"`
	SOA              *recordSOA        `json:"SOARecord,omitempty"`
	SRV              []recordSRV       `json:"SRVRecords,omitempty"`
	TXT              []recordTXT       `json:"TXTRecords,omitempty"`
}

type (
	resource struct {
		ID string `json:"id,omitempty"`
	}
	recordA struct {
		IPv4Address string `json:"ipv4Address"`
	}
	recordAAAA struct {
		IPv6Address string `json:"ipv6Address"`
	}
	recordCAA struct {
		Flags int    `json:"flags"`
		Tag   string `json:"tag"`
		Value string `json:"value"`
	}
	recordCNAME struct {
		CNAME string `json:"cname"`
	}
	recordMX struct {
		Preference int    `json:"preference"`
		Exchange   string `json:"exchange"`
	}
	recordNS struct {
		Name string `json:"nsdname"`
	}
	recordPTR struct {
		Name string `json:"ptrdname"`
	}
	recordSOA struct {
		Host   string `json:"host"`
		Email  string `json:"email"`
		Serial int    `json:"serialNumber"`
	}
	recordSRV struct {
		Priority int    `json:"priority"`
		Weight   int    `json:"weight"`
		Port     int    `json:"port"`
		Target   string `json:"target"`
	}
	recordTXT struct {
		Value []string `json:"value"`
	}
)

func apexSOA(kind Kind) *recordSet {
	host := "ns1-01.azure-dns.com."
	if kind == Private {
		host = "azureprivatedns.net"
	}
	ttl := int64(3600)
	return &recordSet{setKey: setKey{"@", "SOA"}, props: properties{TTL: &ttl, SOA: &recordSOA{Host: host, Email: "azuredns-hostmaster.microsoft.com", Serial: 1}}}
}

func apexNS() *recordSet {
	ttl := int64(172800)
	return &recordSet{setKey: setKey{"@", "NS"}, props: properties{TTL: &ttl, NS: []recordNS{{"ns1-01.azure-dns.com."}, {"ns2-01.azure-dns.net."}}}}
}

// ofZone says that the record set belongs to the zone and not to its users.
func (r *recordSet) ofZone() bool { return r.name == "@" && (r.typ == "SOA" || r.typ == "NS") }

func parseRaw(name, typ, raw string) *recordSet {
	set := &recordSet{setKey: setKey{name, typ}}
	if err := json.Unmarshal([]byte(raw), &set.props); err != nil {
		panic("azurednstest: " + err.Error())
	}
	return set
}

func (r *recordSet) raw() string {
	b, err := json.Marshal(r.props)
	if err != nil {
		panic("azurednstest: " + err.Error())
	}
	return string(b)
}

// texts are the values in the text of backend.Canonical, before it is canonical.
func (p *properties) texts(typ string) []string {
	var out []string
	switch typ {
	case "A":
		for _, r := range p.A {
			out = append(out, r.IPv4Address)
		}
	case "AAAA":
		for _, r := range p.AAAA {
			out = append(out, r.IPv6Address)
		}
	case "CNAME":
		if p.CNAME != nil {
			out = append(out, p.CNAME.CNAME)
		}
	case "MX":
		for _, r := range p.MX {
			out = append(out, fmt.Sprintf("%d %s", r.Preference, r.Exchange))
		}
	case "NS":
		for _, r := range p.NS {
			out = append(out, r.Name)
		}
	case "PTR":
		for _, r := range p.PTR {
			out = append(out, r.Name)
		}
	case "SRV":
		for _, r := range p.SRV {
			out = append(out, fmt.Sprintf("%d %d %d %s", r.Priority, r.Weight, r.Port, r.Target))
		}
	case "TXT":
		for _, r := range p.TXT {
			out = append(out, strings.Join(r.Value, ""))
		}
	case "CAA":
		for _, r := range p.CAA {
			out = append(out, fmt.Sprintf("%d %s %q", r.Flags, r.Tag, r.Value))
		}
	}
	return out
}

// types are those whose records are present.
func (p *properties) types() []string {
	var out []string
	for _, typ := range []string{"A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "SRV", "TXT"} {
		if len(p.texts(typ)) > 0 {
			out = append(out, typ)
		}
	}
	if p.SOA != nil {
		out = append(out, "SOA")
	}
	return out
}

func (r *recordSet) rrset(z *zone) backend.RRset {
	set := backend.RRset{Key: backend.Key{Name: z.absolute(r.name), Type: r.typ}, Values: r.props.texts(r.typ)}
	if r.props.TTL != nil {
		set.TTL = seconds(*r.props.TTL)
	}
	canonical, err := backend.Canonical(set)
	if err != nil {
		return set
	}
	return canonical
}

// fromRRset is the record set an RRset means, as the portal would write it.
func fromRRset(z *zone, r backend.RRset) *recordSet {
	ttl := int64(r.TTL.Seconds())
	set := &recordSet{setKey: setKey{z.relative(r.Name), r.Type}, props: properties{TTL: &ttl}}
	for _, v := range r.Values {
		set.props.append(r.Type, v)
	}
	return set
}

func (p *properties) append(typ, v string) {
	f := strings.Fields(v)
	n := func(i int) int {
		u, err := strconv.Atoi(f[i])
		if err != nil {
			panic("azurednstest: " + err.Error())
		}
		return u
	}
	switch typ {
	case "A":
		p.A = append(p.A, recordA{v})
	case "AAAA":
		p.AAAA = append(p.AAAA, recordAAAA{v})
	case "CNAME":
		p.CNAME = &recordCNAME{v}
	case "MX":
		p.MX = append(p.MX, recordMX{n(0), f[1]})
	case "NS":
		p.NS = append(p.NS, recordNS{v})
	case "PTR":
		p.PTR = append(p.PTR, recordPTR{v})
	case "SRV":
		p.SRV = append(p.SRV, recordSRV{n(0), n(1), n(2), f[3]})
	case "TXT":
		p.TXT = append(p.TXT, recordTXT{chunks(v, 255)})
	default:
		panic("azurednstest: an RRset of type " + typ + " cannot be put; use PutRaw")
	}
}

// chunks cuts a text into strings of at most n bytes.
func chunks(s string, n int) []string {
	if s == "" {
		return []string{""}
	}
	var out []string
	for chunk := range slices.Chunk([]byte(s), n) {
		out = append(out, string(chunk))
	}
	return out
}
