package clouddnstest

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// supported are the types of https://cloud.google.com/dns/docs/records-overview.
func supported() []string {
	return []string{
		"A", "AAAA", "ALIAS", "CAA", "CNAME", "DNSKEY", "DS", "HTTPS", "IPSECKEY", "MX", "NAPTR", "NS", "PTR", "SOA", "SPF", "SRV", "SSHFP", "SVCB", "TLSA", "TXT",
	}
}

// wrong names the field of an addition that the service would not take, and its value; "" when all is well.
// Values are in the text of master files (RFC 1035 §5, as ResourceRecordSet.rrdatas says), names absolute.
func wrong(z *zone, r Record) (field, value string) {
	switch {
	case !isName(r.Name) || r.Name != z.DNSName && !strings.HasSuffix(r.Name, "."+z.DNSName):
		return ".name", r.Name
	case !slices.Contains(supported(), r.Type):
		return ".type", r.Type
	case r.TTL < 0 || r.TTL > 1<<31-1: // int32, and RFC 2181 §8
		return ".ttl", strconv.FormatInt(r.TTL, 10)
	case len(r.Rrdatas) == 0 && r.RoutingPolicy == nil:
		return ".rrdatas", ""
	case (r.Type == "CNAME" || r.Type == "ALIAS") && len(r.Rrdatas) > 1: // RFC 2181 §10.1
		return ".rrdata[1]", r.Rrdatas[1]
	case r.Type == "CNAME" && r.Name == z.DNSName: // beside the SOA
		return ".type", r.Type
	case r.Type == "ALIAS" && (z.Visibility != "public" || r.Name != z.DNSName): // "only at the zone apex", "only for public zones"
		return ".type", r.Type
	}
	for i, v := range r.Rrdatas {
		if !valid(r.Type, v) || slices.Index(r.Rrdatas, v) != i {
			return ".rrdata[" + strconv.Itoa(i) + "]", v
		}
	}
	return "", ""
}

func valid(typ, v string) bool {
	fields := strings.Fields(v)
	switch typ {
	case "A", "AAAA":
		a, err := netip.ParseAddr(v)
		return err == nil && a.Zone() == "" && a.Is4() == (typ == "A")
	case "CNAME", "NS", "PTR", "ALIAS":
		return isName(v)
	case "MX":
		return len(fields) == 2 && isNumber(fields[0]) && isHost(fields[1])
	case "SRV":
		return len(fields) == 4 && isNumber(fields[0]) && isNumber(fields[1]) && isNumber(fields[2]) && isHost(fields[3])
	case "NAPTR":
		return regexp.MustCompile(`^\d+ \d+ ("([^"\\]|\\.)*" ){3}\S*\.$`).MatchString(v)
	case "TXT":
		return isText(v)
	}
	return v != ""
}

// isName: absolute, at most 254 bytes with its dot, labels of 1 to 63 bytes (RFC 1035 §2.3.4).
func isName(s string) bool {
	labels, dot := strings.CutSuffix(s, ".")
	if !dot || labels == "" || len(s) > 254 {
		return false
	}
	for label := range strings.SplitSeq(labels, ".") {
		if label == "" || len(label) > 63 || strings.ContainsAny(label, " \"'\\;()@$,<>&\t\n") {
			return false
		}
	}
	return true
}

func isHost(s string) bool { return s == "." || isName(s) }

func isNumber(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}

// isText: strings in quotes of at most 255 bytes each, with the escapes of RFC 1035 §5.1.
func isText(s string) bool {
	quoted, n, strs := false, 0, 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case !quoted && c == '"':
			quoted, n, strs = true, 0, strs+1
			continue
		case !quoted && c == ' ':
			continue
		case !quoted || c < ' ' || c > '~':
			return false
		case c == '"':
			quoted = false
			continue
		case c == '\\':
			if i+3 < len(s) && isNumber(s[i+1:i+4]) {
				if code, _ := strconv.Atoi(s[i+1 : i+4]); code > 255 {
					return false
				}
				i += 3
			} else if i++; i == len(s) {
				return false
			}
		}
		if n++; n > 255 {
			return false
		}
	}
	return !quoted && strs > 0
}
