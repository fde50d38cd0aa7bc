package policy

import (
	"net/netip"
	"strings"

	"sigs.k8s.io/external-dns/endpoint"
)

// Reading is what is known of one family of a site's public addresses. The zero Reading is unknown.
type Reading struct {
	Addr   netip.Addr // the address, when it is known
	Absent bool       // known not to be there: the family is not managed
	Why    string     // why it is unknown, for people
}

// unknown reports whether names have to wait for it.
func (r Reading) unknown() bool { return !r.Addr.IsValid() && !r.Absent }

// Site is what is known of a site's public addresses.
type Site struct{ V4, V6 Reading }

// site reads a wanIP target: the addresses that are known, the record types whose address is not, and
// why. A family that the target does not ask for is as good as absent.
func (p *publisher) site(a *answer) (values *answer, waiting []string, why string) {
	var site Site
	if p.run.facts.Site != nil {
		site = p.run.facts.Site(a.wan.target)
	}
	values = &answer{name: a.name}
	var whys []string
	take := func(wanted bool, r Reading, typ string, into *[]string) {
		switch {
		case !wanted || r.Absent:
		case r.unknown():
			waiting = append(waiting, typ)
			whys = append(whys, typ+": "+orUnsaid(r.Why))
		default:
			*into = []string{r.Addr.String()}
		}
	}
	take(a.wan.v4, site.V4, endpoint.RecordTypeA, &values.v4)
	take(a.wan.v6, site.V6, endpoint.RecordTypeAAAA, &values.v6)
	if len(values.v4)+len(values.v6)+len(waiting) == 0 {
		waiting, whys = []string{endpoint.RecordTypeA, endpoint.RecordTypeAAAA}, []string{"no address family of the site is looked after"}
	}
	if len(waiting) > 0 {
		why = "the site's address is not known: " + strings.Join(whys, "; ")
	}
	return values, waiting, why
}

func orUnsaid(why string) string {
	if why == "" {
		return "nothing has been read yet"
	}
	return why
}

// rewriteToSite publishes the site's addresses in the place of the records. A family whose address is not
// known keeps what is published of it, and the other one flows; but a name that is a CNAME now stays one
// until all that takes its place is known.
func (p *publisher) rewriteToSite(recs []rec, a *answer) error {
	values, waiting, why := p.site(a)
	if len(waiting) == 0 {
		p.emitAnswer(recs, values)
		return nil
	}
	p.verdict.reason = why
	alias, err := p.publishes(&recs[0], endpoint.RecordTypeCNAME)
	if err != nil {
		return err
	}
	if alias || len(values.v4)+len(values.v6) == 0 {
		return p.holdAddresses(recs, why)
	}
	p.emitAnswer(recs, values)
	return p.hold(&recs[0], func(typ string) bool { return typ == waiting[0] }) // one: the other is known
}
