package azurednstest

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// refusal is an error answer of the service.
type refusal struct {
	status        int
	code, message string
	retryAfter    time.Duration
	bare          bool // the DNS services answer {"code":…} without the "error" around it that ARM has
}

func (r *refusal) Error() string { return fmt.Sprintf("%d %s: %s", r.status, r.code, r.message) }

func refused(status int, code, format string, a ...any) *refusal {
	return &refusal{status: status, code: code, message: fmt.Sprintf(format, a...), bare: true}
}

func badRequest(format string, a ...any) *refusal {
	return refused(http.StatusBadRequest, "BadRequest", format, a...)
}

func seconds(n int64) time.Duration { return time.Duration(n) * time.Second }

// refuse says why the service does not store a record set, or nil; mu is held.
func (s *Server) refuse(z *zone, set *recordSet) error {
	for _, check := range []func(*zone, *recordSet) *refusal{s.refuseType, s.refuseName, s.refuseTTL, s.refuseRecords, s.refuseText, s.refuseNeighbours, s.refuseNumber} {
		if r := check(z, set); r != nil {
			return r
		}
	}
	return nil
}

// refuseType: the record types of the two services are those of the RecordType enumerations in their
// REST APIs (2018-05-01, 2024-06-01). SOA "can be updated but not created" (RecordSets_CreateOrUpdate).
func (s *Server) refuseType(z *zone, set *recordSet) *refusal {
	types := []string{"A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "SRV", "TXT"}
	if z.kind == Private {
		types = []string{"A", "AAAA", "CNAME", "MX", "PTR", "SRV", "TXT"}
	}
	if !slices.Contains(types, set.typ) {
		return badRequest("The record type '%s' is not supported or cannot be created in zone '%s'.", set.typ, z.name)
	}
	for _, typ := range set.props.types() {
		if typ != set.typ {
			return badRequest("The record set of type '%s' holds records of type '%s'.", set.typ, typ)
		}
	}
	return nil
}

// refuseName: "Each label must only contain letters, numbers, underscores, and/or dashes. … A wildcard ('*'
// character) is permitted either as the single character in the name, or as the first label in the name"
// (message of the portal, quoted in MicrosoftDocs/azure-docs#30476); the answer of the API is that quoted
// in kubernetes-sigs/external-dns#2922. Wildcards exist "for all record types except NS and SOA"
// (dns-zones-records, "Wildcard records").
func (s *Server) refuseName(z *zone, set *recordSet) *refusal {
	if set.name == "@" {
		return nil
	}
	rest := set.name
	if rest == "*" || strings.HasPrefix(rest, "*.") {
		if set.typ == "NS" {
			return badRequest("Wildcard record sets of type 'NS' are not supported.")
		}
		rest = strings.TrimPrefix(strings.TrimPrefix(rest, "*"), ".")
	}
	if !plainName(rest) && set.name != "*" || len(z.absolute(set.name)) > 253 {
		return badRequest("The domain name '%s' is invalid. The provided record set relative name '%s' is invalid.", z.absolute(set.name), set.name)
	}
	return nil
}

func plainName(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for _, c := range label {
			if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", c) {
				return false
			}
		}
	}
	return true
}

// refuseTTL: "any TTL value between 1 and 2,147,483,647 seconds" (dns-zones-records, "Time-to-live").
func (s *Server) refuseTTL(_ *zone, set *recordSet) *refusal {
	if set.props.TTL == nil || *set.props.TTL < 1 || *set.props.TTL > 1<<31-1 {
		return badRequest("The TTL of record set '%s' is invalid. It must be between 1 and 2147483647.", set.name)
	}
	return nil
}

// refuseRecords: 20 records in one record set (includes/dns-limits.md); a CNAME set "can only contain a
// single record", and none stands at the zone apex (dns-zones-records, "CNAME records"). Addresses and
// names have to be such: `The domain name '"x"' is invalid.` (kubernetes-sigs/external-dns#4855).
func (s *Server) refuseRecords(_ *zone, set *recordSet) *refusal {
	values := set.props.texts(set.typ)
	if len(values) > s.options.MaxRecords {
		return badRequest("The number of records in record set '%s' exceeds the maximum of %d.", set.name, s.options.MaxRecords)
	}
	if set.typ == "CNAME" && set.name == "@" {
		return badRequest("A CNAME record set cannot be created at the zone apex.")
	}
	if set.typ == "CNAME" && len(values) == 0 && set.props.TargetResource == nil {
		return badRequest("The CNAME record set '%s' has no record.", set.name)
	}
	for _, v := range values {
		f := strings.Fields(v)
		switch set.typ {
		case "A", "AAAA":
			if a, err := netip.ParseAddr(v); err != nil || a.Is4() != (set.typ == "A") || a.Is4In6() || a.Zone() != "" {
				return badRequest("The value '%s' is not a valid address of an %s record.", v, set.typ)
			}
		case "CNAME", "NS", "PTR", "MX", "SRV":
			if name := strings.TrimSuffix(f[len(f)-1], "."); name != "" && (strings.ContainsAny(v, `"\`) || len(name) > 253) {
				return badRequest("The domain name '%s' is invalid.", name)
			}
		}
	}
	return nil
}

// refuseText: strings of up to 255 characters, 4,096 over all records of the set and 1,024 in national
// clouds (dns-zones-records, "TXT records"). That a text has at least one character is what clients of the
// service check (the TXT resources of terraform-provider-azurerm: length 1 - …).
func (s *Server) refuseText(_ *zone, set *recordSet) *refusal {
	total := 0
	for _, r := range set.props.TXT {
		size := 0
		for _, part := range r.Value {
			if len(part) > 255 {
				return badRequest("The text string of record set '%s' is longer than 255 characters.", set.name)
			}
			size += len(part)
		}
		if size == 0 {
			return badRequest("The text of record set '%s' is empty.", set.name)
		}
		total += size
	}
	if total > s.options.MaxText {
		return badRequest("The texts of record set '%s' have %d characters together, the maximum is %d.", set.name, total, s.options.MaxText)
	}
	return nil
}

// refuseNeighbours: "CNAME record sets can't coexist with other record sets with the same name"
// (dns-zones-records, "CNAME records"); the answers are those in kubernetes-sigs/external-dns#5358 and
// rcl-letsencrypt-auto-ssl/Lets-Encrypt-Auto#26.
func (s *Server) refuseNeighbours(z *zone, set *recordSet) *refusal {
	if set.typ != "CNAME" {
		if z.sets[setKey{set.name, "CNAME"}] != nil {
			return refused(http.StatusConflict, "Conflict", "The record could not be created because a CNAME record with the same name already exists in this zone.")
		}
		return nil
	}
	for _, typ := range []string{"A", "AAAA", "CAA", "MX", "NS", "PTR", "SRV", "TXT"} {
		if z.sets[setKey{set.name, typ}] != nil {
			return refused(http.StatusConflict, "Conflict", "The CNAME record could not be created because another record with the same name already exists in this zone.")
		}
	}
	return nil
}

// refuseNumber: 10,000 record sets in a public zone, 25,000 in a private one (includes/dns-limits.md).
func (s *Server) refuseNumber(z *zone, set *recordSet) *refusal {
	limit := s.options.MaxRecordSets
	if limit == 0 {
		limit = map[Kind]int{Public: 10000, Private: 25000}[z.kind]
	}
	if limit > 0 && z.sets[set.setKey] == nil && len(z.sets) >= limit {
		return badRequest("The zone '%s' has the maximum of %d record sets.", z.name, limit)
	}
	return nil
}

// refuseDelete: "SOA … cannot be deleted" (RecordSets_Delete), and the NS of the apex "can't be deleted
// separately" (dns-zones-records, "NS records").
func refuseDelete(key setKey) error {
	if key.name == "@" && (key.typ == "SOA" || key.typ == "NS") {
		return badRequest("The record set of type '%s' at the zone apex cannot be deleted.", key.typ)
	}
	return nil
}

// refusePrecondition: the table of headers in dns-zones-records, "Etags". A mismatch is 412 (HTTP).
func refusePrecondition(standing *recordSet, name, ifMatch, ifNoneMatch string) error {
	switch {
	case ifNoneMatch == "*" && standing != nil:
		return refused(http.StatusPreconditionFailed, "PreconditionFailed", "The record set '%s' exists already and hence cannot be created again.", name)
	case ifMatch == "":
		return nil
	case standing == nil, ifMatch != "*" && ifMatch != standing.etag:
		return refused(http.StatusPreconditionFailed, "PreconditionFailed", "The condition '%s' in the If-Match header was not satisfied.", ifMatch)
	}
	return nil
}
