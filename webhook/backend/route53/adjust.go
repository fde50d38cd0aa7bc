package route53

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/spokedns/spokedns/webhook/backend"
)

// Adjust implements backend.Adjuster. It asks nobody. A CNAME of a resource of AWS, or one with the
// property alias, becomes an alias of type A and one of type AAAA; websites in S3 have no IPv6 address
// and become one of type A. An alias of a name in the zone is of the types which that name has, for Route
// 53 refuses an alias of nothing: as far as they are asked for along with it or were listed last. An alias
// has the backend's default TTL, whatever was asked for: Route 53 stores none, and List says the same.
func (b *Backend) Adjust(_ context.Context, zone string, sets []backend.RRset) ([]backend.RRset, error) {
	asked := make(map[backend.Key]bool, len(sets))
	for i := range sets {
		asked[sets[i].Key] = true
	}
	types := b.typesOf(zone, sets)
	var errs []error
	out := make([]backend.RRset, 0, len(sets))
	for _, r := range sets {
		formed, err := b.adjust(zone, r, asked, types)
		if err != nil {
			errs = append(errs, &backend.Error{Kind: backend.Rejected, Op: "route53: adjust", Zone: zone, Key: r.Key, Err: err})
			continue
		}
		out = append(out, formed...)
	}
	return out, errors.Join(errs...)
}

// adjust is Adjust for one RRset.
func (b *Backend) adjust(zone string, r backend.RRset, asked map[backend.Key]bool, types func(string) []string) ([]backend.RRset, error) {
	aliases, err := b.aliases(zone, r, types)
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
func (b *Backend) aliases(zone string, r backend.RRset, typesOf func(name string) []string) ([]backend.RRset, error) {
	alias, err := b.becomesAlias(r)
	if !alias || err != nil {
		return nil, err
	}
	types := []string{"A", "AAAA"}
	target := r.Values[0]
	if _, where := impliedZone(zone, r.Name, target); where == inZone {
		if has := typesOf(target); len(has) > 0 {
			types = has
		}
	}
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

// becomesAlias reports whether the RRset is a CNAME that is to be an alias.
func (b *Backend) becomesAlias(r backend.RRset) (bool, error) {
	if r.Type != "CNAME" || len(r.Values) != 1 {
		return false, nil
	}
	if given, ok := r.Attrs[attrAlias]; ok {
		return truth(attrAlias, given)
	}
	return isService(r.Name, r.Values[0]) && !b.config.PreferCNAME, nil
}

// typesOf returns which of the types of addresses a name of the zone has: among those asked for, or else
// among those listed last.
func (b *Backend) typesOf(zone string, sets []backend.RRset) func(name string) []string {
	type address struct{ name, typ string }
	known := func(sets []backend.RRset) map[address]bool {
		out := map[address]bool{}
		for _, r := range sets {
			switch alias, _ := b.becomesAlias(r); {
			case alias:
				out[address{r.Name, "A"}], out[address{r.Name, "AAAA"}] = true, true
			case r.Type == "A" || r.Type == "AAAA":
				out[address{r.Name, r.Type}] = true
			}
		}
		return out
	}
	places := []func() map[address]bool{
		sync.OnceValue(func() map[address]bool { return known(sets) }),
		sync.OnceValue(func() map[address]bool { return known(b.listedLast(zone)) }),
	}
	return func(name string) []string {
		for _, place := range places {
			var has []string
			for _, typ := range []string{"A", "AAAA"} {
				if place()[address{name, typ}] {
					has = append(has, typ)
				}
			}
			if len(has) > 0 {
				return has
			}
		}
		return nil
	}
}
