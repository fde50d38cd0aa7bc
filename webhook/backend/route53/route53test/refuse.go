package route53test

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// words are a refusal as the service puts it, which is not how errors are written in Go.
type words string

// Error implements error.
func (w words) Error() string { return string(w) }

func says(format string, args ...any) error { return words(fmt.Sprintf(format, args...)) }

// refuse says why a record set by itself is none the service stores, in the words of the service.
func (s *Server) refuse(z *zone, r RecordSet) error {
	// FATAL problems: the service says so of malformed parts.
	fatal := func(field, value, why string) error {
		return says("FATAL problem: %s (%s) encountered with '%s'", field, why, value)
	}
	switch {
	case !slices.Contains(recordTypes(), r.Type): // ResourceRecordSet, Type
		return fatal("UnsupportedType", r.Type, "Type is not supported")
	case !inZone(r.Name, z.name): // Developer Guide, Basic concepts: a zone holds its names
		return says("RRSet with DNS name %s is not permitted in zone %s", r.Name, z.name)
	case strings.HasPrefix(r.Name, `\052.`) && r.Type == "NS": // ResourceRecordSet, Name
		return fatal("InvalidName", r.Name, "the * wildcard cannot be used for NS")
	case r.Name == z.name && r.Type == "CNAME": // Developer Guide, Supported DNS Record Types, CNAME
		return says("RRSet of type CNAME with DNS name %s is not permitted at apex in zone %s", r.Name, z.name)
	case r.TrafficPolicyInstanceID != "": // ResourceRecordSet, TrafficPolicyInstanceId
		return says("record sets of traffic policy instances are changed with the instance")
	}
	if r.AliasTarget != nil {
		return s.refuseAlias(z, r)
	}
	if r.TTL == nil || *r.TTL < 0 || *r.TTL > 1<<31-1 { // ResourceRecordSet, TTL: 0 to 2147483647
		return fatal("InvalidTTL", r.Name, "TTL is 0 to 2147483647")
	}
	switch {
	case len(r.Values) == 0:
		return says("Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], but found none in Change with [Action=CREATE, Name=%s, Type=%s, SetIdentifier=%s]", r.Name, r.Type, r.SetIdentifier)
	case len(r.Values) > 400: // Developer Guide, Quotas: records in a record set
		return fatal("TooManyValues", r.Name, "400 at most")
	case (r.Type == "CNAME" || r.Type == "SOA") && len(r.Values) > 1: // ResourceRecord, Value
		return fatal("TooManyValues", r.Name, "one at most")
	}
	for i, v := range r.Values {
		if slices.Contains(r.Values[:i], v) {
			return says("Duplicate Resource Record: '%s'", v)
		}
		if len([]rune(v)) > 4000 { // ResourceRecord, Value: not to exceed 4,000 characters
			return fatal("ValueTooLong", v[:40], "4000 characters at most")
		}
		if why := refuseValue(r.Type, v); why != "" {
			return fatal("InvalidResourceRecord", v, why)
		}
	}
	return nil
}

func recordTypes() []string {
	return []string{"A", "AAAA", "CAA", "CNAME", "DS", "HTTPS", "MX", "NAPTR", "NS", "PTR", "SOA", "SPF", "SRV", "SSHFP", "SVCB", "TLSA", "TXT"}
}

// refuseValue checks one value (Developer Guide, Supported DNS Record Types).
func refuseValue(typ, v string) string {
	fields := strings.Fields(v)
	number := func(i int) bool {
		n, err := strconv.Atoi(fields[i])
		return err == nil && n >= 0 && n <= 65535
	}
	host := func(i int) bool {
		if fields[i] == "." {
			return true
		}
		_, err := canonicalName(fields[i])
		return err == nil
	}
	switch typ {
	case "A", "AAAA":
		a, err := netip.ParseAddr(v)
		if err != nil || a.Is4() != (typ == "A") || a.Zone() != "" {
			return "Value is not a valid IP address"
		}
	case "CNAME", "NS", "PTR":
		if len(fields) != 1 || !host(0) {
			return "Value is not a valid domain name"
		}
	case "MX":
		if len(fields) != 2 || !number(0) || !host(1) {
			return "MX record doesn't have 2 fields"
		}
	case "SRV":
		if len(fields) != 4 || !number(0) || !number(1) || !number(2) || !host(3) {
			return "SRV record doesn't have 4 fields"
		}
	case "NAPTR":
		if !regexp.MustCompile(`^\d{1,5} \d{1,5} "[^"]*" "[^"]*" "(\\.|[^"\\])*" \S+$`).MatchString(v) {
			return "NAPTR record doesn't have 6 fields"
		}
	case "TXT", "SPF":
		return refuseText(v)
	}
	return ""
}

// refuseText checks strings in quotes with spaces between: at most 255 bytes each, everything outside
// printable ASCII as \ and three octal digits, a quotation mark as \" (Developer Guide, TXT record type).
func refuseText(v string) string {
	if v == "" {
		return "Value should be enclosed in quotation marks"
	}
	for rest := v; rest != ""; {
		if rest[0] != '"' {
			return "Value should be enclosed in quotation marks"
		}
		n, i, closed := 0, 1, false
		for ; i < len(rest) && !closed; i++ {
			switch c := rest[i]; {
			case c == '"':
				closed = true
				continue
			case c == '\\':
				if _, ok := octal(rest[i+1:]); ok {
					i += 3
				} else if i+1 < len(rest) && (rest[i+1] == '"' || rest[i+1] == '\\') {
					i++
				} else {
					return "Value contains an invalid escape sequence"
				}
			case c < ' ' || c >= 0x7f:
				return "Value contains characters that have to be escape codes"
			}
			if n++; n > 255 {
				return "CharacterString is too long (max 255)"
			}
		}
		if !closed {
			return "Unbalanced quotation marks"
		}
		trimmed := strings.TrimLeft(rest[i:], " ")
		if trimmed == rest[i:] && trimmed != "" {
			return "strings are separated by a space"
		}
		rest = trimmed
	}
	return ""
}
