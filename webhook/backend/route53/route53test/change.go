package route53test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"
)

// The limits of one request (Developer Guide, Quotas, Maximums on ChangeResourceRecordSets requests).
const (
	maxRecords    = 1000
	maxCharacters = 32000
)

// size counts the ResourceRecord elements of a change batch and the characters of their values; those of
// an UPSERT count twice.
func (c changeRequest) size() (records, characters int) {
	for _, change := range c.ChangeBatch.Changes {
		times := 1
		if change.Action == "UPSERT" {
			times = 2
		}
		if change.ResourceRecordSet == nil {
			continue
		}
		records += times * len(change.ResourceRecordSet.Values)
		for _, v := range change.ResourceRecordSet.Values {
			characters += times * utf8.RuneCountInString(v)
		}
	}
	return records, characters
}

// change makes all changes of a batch, or none and says why; mu is held.
func (s *Server) change(z *zone, c changeRequest) (changeInfo, *refusal) {
	if len(c.ChangeBatch.Changes) == 0 { // ChangeBatch, Changes: required
		return changeInfo{}, refused(http.StatusBadRequest, "InvalidInput", "ChangeBatch has no changes")
	}
	records, characters := c.size()
	if records > maxRecords {
		return changeInfo{}, s.invalid([]string{"Number of records limit of 1000 exceeded."})
	}
	if characters > maxCharacters {
		return changeInfo{}, s.invalid([]string{"Number of characters limit of 32000 exceeded."})
	}
	d, touched, messages := z.draft(), map[string]bool{}, []string(nil)
	for _, change := range c.ChangeBatch.Changes {
		r := change.ResourceRecordSet
		if r == nil {
			return changeInfo{}, refused(http.StatusBadRequest, "InvalidInput", "a change has no ResourceRecordSet")
		}
		name, err := canonicalName(r.Name)
		if err != nil {
			messages = append(messages, fmt.Sprintf("FATAL problem: InvalidDomainName (%v) encountered with '%s'", err, r.Name))
			continue
		}
		r.Name = name
		if s.denied[name] || s.denied[name[:len(name)-1]] {
			return changeInfo{}, refused(http.StatusForbidden, "AccessDenied", "User is not authorized to perform: route53:ChangeResourceRecordSets on resource: arn:aws:route53:::hostedzone/"+z.id+" because no identity-based policy allows the action")
		}
		touched[name] = true
		switch err := s.one(d, change.Action, *r); {
		case errors.Is(err, errNoHealthCheck):
			return changeInfo{}, refused(http.StatusNotFound, "NoSuchHealthCheck", "No health check exists with the specified ID: "+r.HealthCheckID)
		case errors.Is(err, errAction):
			return changeInfo{}, refused(http.StatusBadRequest, "InvalidInput", err.Error())
		case err != nil:
			messages = append(messages, err.Error())
		}
	}
	if len(messages) == 0 {
		for _, name := range slices.Sorted(maps.Keys(touched)) {
			messages = append(messages, d.refuseGroup(name)...)
		}
	}
	if len(messages) > 0 {
		return changeInfo{}, s.invalid(messages)
	}
	z.sets = d.sets
	s.ids++
	id := fmt.Sprintf("C%013d", s.ids)
	s.changes[id] = time.Now()
	return s.info(id), nil
}

var errAction = says("Action is CREATE, DELETE or UPSERT")

// one makes one change to the draft (ChangeResourceRecordSets, Create, Delete, and Upsert).
func (s *Server) one(d *zone, action string, r RecordSet) error {
	stands := d.get(r.Name, r.Type, r.SetIdentifier)
	which := fmt.Sprintf("[name='%s', type='%s']", r.Name, r.Type)
	if r.SetIdentifier != "" {
		which = fmt.Sprintf("[name='%s', type='%s', set-identifier='%s']", r.Name, r.Type, r.SetIdentifier)
	}
	switch action {
	case "DELETE":
		if r.AliasTarget != nil {
			r.AliasTarget = normal(*r.AliasTarget)
		}
		switch {
		case r.Name == d.name && (r.Type == "SOA" || r.Type == "NS"): // Developer Guide, SOA and NS records
			return says("A HostedZone must contain at least one NS record for the zone itself.")
		case stands == nil:
			return says("Tried to delete resource record set %s but it was not found", which)
		case !stands.same(r):
			return says("Tried to delete resource record set %s but the values provided do not match the current values", which)
		}
		d.remove(r.Name, r.Type, r.SetIdentifier)
		return nil
	case "CREATE":
		if stands != nil {
			return says("Tried to create resource record set %s but it already exists", which)
		}
	case "UPSERT":
	default:
		return errAction
	}
	if err := errors.Join(s.refuse(d, r), s.refuseRouting(r)); err != nil {
		return err
	}
	if r.AliasTarget != nil {
		r.AliasTarget = normal(*r.AliasTarget)
	}
	d.put(r)
	return nil
}

// normal is how the service keeps an alias: the name in its own form, with a dot.
func normal(a Alias) *Alias {
	if name, err := canonicalName(a.DNSName); err == nil {
		a.DNSName = name
	}
	return &a
}

// refusal is an answer that is no success.
type refusal struct {
	status        int
	code, message string
	messages      []string // of InvalidChangeBatch
}

func refused(status int, code, message string) *refusal {
	return &refusal{status: status, code: code, message: message}
}

func (s *Server) invalid(messages []string) *refusal {
	r := refused(http.StatusBadRequest, "InvalidChangeBatch", "The change batch is not valid")
	if !s.options.Terse {
		r.messages = messages
	}
	return r
}
