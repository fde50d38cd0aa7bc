package ganditest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// Record is an RRset as LiveDNS shows it.
type Record struct {
	Name   string   `json:"rrset_name"` // relative to the domain, "@" for its own name
	Type   string   `json:"rrset_type"`
	TTL    int      `json:"rrset_ttl"` // seconds
	Values []string `json:"rrset_values"`
	Href   string   `json:"rrset_href,omitempty"`
}

// domain is the content of one domain: names, types, RRsets.
type domain struct {
	name  string
	names map[string]map[string]Record
	order []any // the records in order of name and type; nil after a change
}

// created is the answer to a write.
func created() answer {
	return reply(http.StatusCreated, map[string]string{"message": "DNS Record Created"})
}

// done is the answer to a delete.
func done() answer { return answer{status: http.StatusNoContent} }

func (d *domain) get(*http.Request) answer {
	return reply(http.StatusOK, map[string]any{"fqdn": d.name, "automatic_snapshots": false})
}

// sorted is every record. LiveDNS shows neither SOA nor the NS of the domain itself.
func (d *domain) sorted() []any {
	if d.order == nil {
		d.order = []any{}
		for _, r := range d.records() {
			d.order = append(d.order, r)
		}
	}
	return d.order
}

func (d *domain) records() []Record {
	var all []Record
	for _, types := range d.names {
		for _, r := range types {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b Record) int {
		if n := strings.Compare(a.Name, b.Name); n != 0 {
			return n
		}
		return strings.Compare(a.Type, b.Type)
	})
	return all
}

// create is POST /records. A record that is there already is a conflict: terraform-provider-gandi #106.
func (d *domain) create(r *http.Request) answer {
	var rec Record
	if refused := decode(r, &rec); refused != nil {
		return *refused
	}
	rec.Name, rec.Type = strings.ToLower(rec.Name), strings.ToUpper(rec.Type)
	if _, ok := d.names[rec.Name][rec.Type]; ok {
		return failure(http.StatusConflict, "dns-record", "Duplicate Entry", "A DNS Record already exists with same value")
	}
	return d.put(rec)
}

func (d *domain) getName(name string, missing bool) answer {
	all := []Record{}
	for _, r := range d.names[name] {
		all = append(all, r)
	}
	if len(all) == 0 && missing {
		return notFound()
	}
	slices.SortFunc(all, func(a, b Record) int { return strings.Compare(a.Type, b.Type) })
	return reply(http.StatusOK, all)
}

// putName is PUT /records/{name}: what the items say is all that the name has afterwards, in one step.
func (d *domain) putName(name string, r *http.Request) answer {
	var body struct {
		Items []Record `json:"items"`
	}
	if refused := decode(r, &body); refused != nil {
		return *refused
	}
	if len(body.Items) == 0 {
		return invalid("items", "Required") // a guess: deleting has a method of its own
	}
	next := map[string]Record{}
	for _, rec := range body.Items {
		rec.Name, rec.Type = name, strings.ToUpper(rec.Type)
		if _, twice := next[rec.Type]; twice {
			return invalid("items", "duplicate rrset "+rec.Type)
		}
		checked, why := d.check(rec)
		if why != nil {
			return invalid("items", fmt.Sprintf("%s (param: %s %s %v)", why.description, rec.Name, rec.Type, rec.Values))
		}
		next[rec.Type] = checked
	}
	if why := coherent(next); why != "" {
		return invalid("items", why)
	}
	d.names[name], d.order = next, nil
	return created()
}

func (d *domain) deleteName(name string) answer {
	if len(d.names[name]) == 0 {
		return notFound() // a guess; the backend takes both answers
	}
	delete(d.names, name)
	d.order = nil
	return done()
}

func (d *domain) getRRset(name, typ string) answer {
	r, ok := d.names[name][typ]
	if !ok {
		return notFound()
	}
	return reply(http.StatusOK, r)
}

func (d *domain) putRRset(name, typ string, r *http.Request) answer {
	rec := Record{}
	if refused := decode(r, &rec); refused != nil {
		return *refused
	}
	rec.Name, rec.Type = name, typ
	return d.put(rec)
}

func (d *domain) deleteRRset(name, typ string) answer {
	if _, ok := d.names[name][typ]; !ok {
		return notFound() // a guess; the backend takes both answers
	}
	d.remove(name, typ)
	return done()
}

// put makes rec the RRset of its name and type, if it may stand there.
func (d *domain) put(rec Record) answer {
	rec, why := d.check(rec)
	if why != nil {
		return invalid(why.field, why.description)
	}
	next := map[string]Record{rec.Type: rec}
	for typ, r := range d.names[rec.Name] {
		if typ != rec.Type {
			next[typ] = r
		}
	}
	if why := coherent(next); why != "" {
		return invalid("rrset_type", why)
	}
	d.names[rec.Name], d.order = next, nil
	return created()
}

func (d *domain) remove(name, typ string) {
	delete(d.names[name], typ)
	if len(d.names[name]) == 0 {
		delete(d.names, name)
	}
	d.order = nil
}

// coherent says what is wrong with the RRsets of one name together (RFC 1034 §3.6.2). The text and the
// status are a guess.
func coherent(types map[string]Record) string {
	if _, ok := types["CNAME"]; ok && len(types) > 1 {
		return "a CNAME record cannot coexist with other records of the same name"
	}
	return ""
}

// refusal is what is wrong with one field of a body.
type refusal struct{ field, description string }

// check returns the RRset in the form in which it will be shown, or why LiveDNS does not take it.
func (d *domain) check(r Record) (Record, *refusal) {
	types := strings.Fields("A AAAA ALIAS CAA CDS CNAME DNAME DS KEY LOC MX NAPTR NS OPENPGPKEY PTR RP SPF SRV SSHFP TLSA TXT WKS")
	fqdn := r.Name + "." + d.name
	if r.Name == "@" {
		fqdn = d.name
	}
	switch _, valid := dns.IsDomainName(fqdn); {
	case !slices.Contains(types, r.Type): // livedns: the enumeration of rrset_type
		return r, &refusal{"rrset_type", fmt.Sprintf("%q is not one of %s", r.Type, strings.Join(types, ", "))}
	case r.Name == "" || !valid || strings.HasSuffix(r.Name, "."):
		return r, &refusal{"rrset_name", fmt.Sprintf("%q is not a valid name", r.Name)}
	case r.Name == "@" && (r.Type == "CNAME" || r.Type == "NS"): // dnscontrol: "Gandi does not support changing apex NS records"
		return r, &refusal{"rrset_type", r.Type + " is not allowed at the domain's own name"}
	case r.Type == "ALIAS" && r.Name != "@": // octodns: "only '@' is allowed for ALIAS records"
		return r, &refusal{"rrset_name", "only '@' is allowed for ALIAS records"}
	case r.TTL == 0:
		r.TTL = 10800 // livedns: the default
	case r.TTL < 300: // octodns issue 1234: "60 is less than minimum value 300"
		return r, &refusal{"rrset_ttl", fmt.Sprintf("%d is less than minimum value 300", r.TTL)}
	case r.TTL > 2592000: // dnscontrol issue 108: "2629800 is greater than maximum value 2592000"
		return r, &refusal{"rrset_ttl", fmt.Sprintf("%d is greater than maximum value 2592000", r.TTL)}
	}
	if len(r.Values) == 0 {
		return r, &refusal{"rrset_values", "Required"}
	}
	if r.Type == "CNAME" && len(r.Values) > 1 {
		return r, &refusal{"rrset_values", "a CNAME record has one value"}
	}
	values := make([]string, len(r.Values))
	for i, v := range r.Values {
		shown, err := d.value(r.Type, v)
		if err != nil { // octodns: "'6.2.3.4.': invalid hostname"
			return r, &refusal{"rrset_values", fmt.Sprintf("'%s': %s", v, err)}
		}
		if slices.Contains(values[:i], shown) {
			return r, &refusal{"rrset_values", fmt.Sprintf("'%s': duplicate value", v)}
		}
		values[i] = shown
	}
	r.Values = values
	return r, nil
}

// Put makes r the domain's RRset of its name and type, behind every client's back and unchecked. It
// panics when there is no such domain.
func (s *Server) Put(name string, r Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.domains[name]
	if d.names[r.Name] == nil {
		d.names[r.Name] = map[string]Record{}
	}
	d.names[r.Name][r.Type], d.order = r, nil
}

// Remove takes an RRset away. It panics when there is no such domain.
func (s *Server) Remove(name, rrset, typ string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.domains[name].remove(rrset, typ)
}

// Records is everything in a domain, in order of name and type; nil when there is no such domain.
func (s *Server) Records(name string) []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.domains[name]; d != nil {
		return d.records()
	}
	return nil
}

// AddDomain makes the service hold another domain.
func (s *Server) AddDomain(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.domains[name] = &domain{name: name, names: map[string]map[string]Record{}}
}

// RemoveDomain takes a domain away with all its records.
func (s *Server) RemoveDomain(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.domains, name)
}
