package route53

import (
	"context"
	"errors"
	"strings"

	"github.com/spokedns/spokedns/webhook/backend"
)

// Adjust implements backend.Adjuster. It asks nobody. A CNAME of a resource of AWS, or one with the
// property alias, becomes an alias of type A and one of type AAAA; websites in S3 have no IPv6 address
// and become one of type A. An alias has the backend's default TTL, whatever was asked for: Route 53
// stores none, and List says the same.
func (b *Backend) Adjust(_ context.Context, zone string, sets []backend.RRset) ([]backend.RRset, error) {
	asked := make(map[backend.Key]bool, len(sets))
	for i := range sets {
		asked[sets[i].Key] = true
	}
	var errs []error
	out := make([]backend.RRset, 0, len(sets))
	for _, r := range sets {
		formed, err := b.adjust(zone, r, asked)
		if err != nil {
			errs = append(errs, &backend.Error{Kind: backend.Rejected, Op: "route53: adjust", Zone: zone, Key: r.Key, Err: err})
			continue
		}
		out = append(out, formed...)
	}
	return out, errors.Join(errs...)
}

// adjust is Adjust for one RRset.
func (b *Backend) adjust(zone string, r backend.RRset, asked map[backend.Key]bool) ([]backend.RRset, error) {
	aliases, err := b.aliases(r)
	if err != nil {
		return nil, err
	}
	if aliases == nil {
		formed, err := b.former.attrs(zone, r)
		return []backend.RRset{formed}, err
	}
	for i, a := range aliases {
		if asked[a.Key] {
			return nil, errors.New("a CNAME that would become an alias, but " + a.Key.String() + " is asked for as well; want one of them, or property alias=false")
		}
		if aliases[i], err = b.former.attrs(zone, a); err != nil {
			return nil, err
		}
	}
	return aliases, nil
}

// aliases are what a CNAME becomes, nil when it stays one.
func (b *Backend) aliases(r backend.RRset) ([]backend.RRset, error) {
	if r.Type != "CNAME" || len(r.Values) != 1 {
		return nil, nil
	}
	service := isService(r.Name, r.Values[0])
	alias := service && !b.config.PreferCNAME
	if given, ok := r.Attrs[attrAlias]; ok {
		var err error
		if alias, err = truth(attrAlias, given); err != nil {
			return nil, err
		}
	}
	if !alias {
		return nil, nil
	}
	types := []string{"A", "AAAA"}
	target := r.Values[0]
	if endpoint := strings.TrimPrefix(target, r.Name+"."); bucketZone(endpoint) != "" {
		types, target = types[:1], endpoint
	}
	var out []backend.RRset
	for _, typ := range types {
		a := r
		a.Type, a.Values = typ, []string{target}
		a.Attrs = map[string]string{}
		for name, value := range r.Attrs {
			a.Attrs[name] = value
		}
		a.Attrs[attrAlias] = yes
		out = append(out, a)
	}
	return out, nil
}
