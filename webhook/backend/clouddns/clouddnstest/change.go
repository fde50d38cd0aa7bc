package clouddnstest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

type change struct {
	Kind      string   `json:"kind,omitempty"`
	ID        string   `json:"id,omitempty"`
	Status    string   `json:"status,omitempty"`
	StartTime string   `json:"startTime,omitempty"`
	Additions []Record `json:"additions,omitempty"`
	Deletions []Record `json:"deletions,omitempty"`
}

// createChange is changes.create: "atomically updates the ResourceRecordSet collection", so what is refused
// in part is refused as a whole.
func (s *Server) createChange(r *http.Request) (any, *refusal) {
	z, why := s.zoneOf(r)
	if why != nil {
		return nil, why
	}
	if z.Config != "" {
		return nil, refuse(http.StatusBadRequest, "invalid", "The zone '%s' has a %s; records cannot be changed in it.", z.Name, z.Config)
	}
	var c change
	if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
		return nil, refuse(http.StatusBadRequest, "parseError", "Parse Error")
	}
	if len(c.Additions)+len(c.Deletions) == 0 {
		return nil, refuse(http.StatusBadRequest, "required", "Required parameter is missing: 'entity.change'")
	}
	for i, a := range c.Additions {
		c.Additions[i] = normal(a)
	}
	for i, d := range c.Deletions {
		c.Deletions[i] = normal(d)
	}
	for _, check := range []func(*zone, change) *refusal{s.checkSize, s.checkAdditions, s.checkDeletions, s.checkStanding, s.checkResult} {
		if why := check(z, c); why != nil {
			return nil, why
		}
	}
	for _, d := range c.Deletions {
		z.remove(d.key())
	}
	for _, a := range c.Additions {
		z.set(a)
	}
	s.nextID++
	// "The servers might not be updated yet" even when it says done; reading finds the change at once.
	return change{
		Kind: "dns#change", ID: fmt.Sprint(s.nextID), Status: "pending", StartTime: time.Now().UTC().Format(time.RFC3339),
		Additions: c.Additions, Deletions: c.Deletions,
	}, nil
}

// checkSize applies the quotas of one change. The answer was seen in kubernetes-sigs/external-dns#1028.
func (s *Server) checkSize(_ *zone, c change) (why *refusal) {
	exceeded := func(what string) {
		why = why.and(refuse(http.StatusForbidden, "quotaExceeded", "The change would exceed quota for %s per change.", what))
	}
	if len(c.Additions) > s.limits.Additions {
		exceeded("additions")
	}
	if len(c.Deletions) > s.limits.Deletions {
		exceeded("deletions")
	}
	bytes := 0
	for _, r := range slices.Concat(c.Additions, c.Deletions) {
		for _, v := range r.Rrdatas {
			bytes += len(v)
		}
	}
	if bytes > s.limits.Bytes {
		exceeded("total rrdata size")
	}
	return why
}

// checkAdditions looks at each addition by itself.
func (s *Server) checkAdditions(z *zone, c change) (why *refusal) {
	seen := map[key]bool{}
	for i, a := range c.Additions {
		at := s.entry("additions", i, a)
		switch {
		case seen[a.key()]:
			why = why.and(refuse(http.StatusConflict, "alreadyExists", "The resource '%s' named '%s (%s)' already exists", at, a.Name, a.Type))
		case len(a.Rrdatas) > s.limits.RecordsPerSet: // resourceRecordsPerRrset
			why = why.and(refuse(http.StatusForbidden, "quotaExceeded", "The change would exceed quota for resource records per rrset in '%s'.", at))
		case a.Type == "NS" && len(a.Rrdatas) > s.limits.Delegation: // nameserversPerDelegation
			why = why.and(refuse(http.StatusForbidden, "quotaExceeded", "The change would exceed quota for name servers per delegation in '%s'.", at))
		default:
			if field, value := wrong(z, a); field != "" {
				why = why.and(refuse(http.StatusBadRequest, "invalid", "Invalid value for '%s%s': '%s'", at, field, value))
			}
		}
		seen[a.key()] = true
	}
	return why
}

// checkDeletions: deletions "must match existing data exactly" (dns-api.json, Change.deletions), or
// preconditionFailed (https://cloud.google.com/dns/docs/error-messages).
func (s *Server) checkDeletions(z *zone, c change) (why *refusal) {
	for i, d := range c.Deletions {
		at := s.entry("deletions", i, d)
		standing, ok := z.sets[d.key()]
		switch {
		case !ok:
			why = why.and(refuse(http.StatusNotFound, "notFound", "The '%s' resource named '%s (%s)' does not exist.", at, d.Name, d.Type))
		case standing.TTL != d.TTL || !sameValues(standing.Rrdatas, d.Rrdatas) || standing.RoutingPolicy != nil && d.RoutingPolicy == nil:
			why = why.and(refuse(http.StatusPreconditionFailed, "conditionNotMet", "Precondition not met for '%s'", at))
		}
	}
	return why
}

// checkStanding: an addition of what exists is alreadyExists (https://cloud.google.com/dns/docs/error-messages).
func (s *Server) checkStanding(z *zone, c change) (why *refusal) {
	for i, a := range c.Additions {
		_, stands := z.sets[a.key()]
		if stands && !slices.ContainsFunc(c.Deletions, func(d Record) bool { return d.key() == a.key() }) {
			why = why.and(refuse(http.StatusConflict, "alreadyExists", "The resource '%s' named '%s (%s)' already exists",
				s.entry("additions", i, a), a.Name, a.Type))
		}
	}
	return why
}

// checkResult looks at the zone as it would be.
func (s *Server) checkResult(z *zone, c change) (why *refusal) {
	after := map[string]map[string]bool{z.DNSName: z.types(z.DNSName)}
	for _, r := range slices.Concat(c.Additions, c.Deletions) {
		if after[r.Name] == nil {
			after[r.Name] = z.types(r.Name)
		}
	}
	for _, d := range c.Deletions {
		delete(after[d.Name], d.Type)
	}
	for _, a := range c.Additions {
		after[a.Name][a.Type] = true
	}
	// A zone always has its SOA and NS (https://cloud.google.com/dns/docs/error-messages, invalidZoneApex).
	if apex := after[z.DNSName]; !apex["SOA"] || !apex["NS"] {
		why = why.and(refuse(http.StatusBadRequest, "invalidZoneApex", "The resource record set of type SOA or NS at the zone apex cannot be deleted."))
	}
	for i, a := range c.Additions {
		types := after[a.Name]
		if !types["CNAME"] || len(types) == 1 {
			continue
		}
		// The answer was seen in kubernetes-sigs/external-dns#3885.
		at := s.entry("additions", i, a)
		why = why.and(refuse(http.StatusBadRequest, "cnameResourceRecordSetConflict", "The resource record set '%s' is invalid because the DNS name '%s' "+
			"may have either one CNAME resource record set or resource record sets of other types, but not both.", at, a.Name))
	}
	if sets := len(z.sets) + len(c.Additions) - len(c.Deletions); s.limits.SetsPerZone > 0 && len(c.Additions) > len(c.Deletions) && sets > s.limits.SetsPerZone {
		why = why.and(refuse(http.StatusForbidden, "quotaExceeded", "The change would exceed quota for resource record sets per managed zone."))
	}
	return why
}

// entry is how messages name a part of the change.
func (s *Server) entry(list string, i int, r Record) string {
	switch {
	case s.limits.VagueMessage:
		return "entity.change"
	case s.limits.IndexedMessage:
		return fmt.Sprintf("entity.change.%s[%d]", list, i)
	}
	return fmt.Sprintf("entity.change.%s[%s][%s]", list, r.Name, r.Type)
}

// normal is the form in which the service keeps an RRset: names in lower case, texts in quotes.
func normal(r Record) Record {
	r.Name = strings.ToLower(r.Name)
	if r.Type != "TXT" {
		return r
	}
	r.Rrdatas = slices.Clone(r.Rrdatas)
	for i, v := range r.Rrdatas {
		if v != "" && !strings.Contains(v, `"`) {
			r.Rrdatas[i] = `"` + strings.Join(strings.Fields(v), `" "`) + `"`
		}
	}
	return r
}

func sameValues(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
