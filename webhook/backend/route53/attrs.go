package route53

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spokedns/spokedns/webhook/backend"
)

// The properties that external-dns hands on from annotations external-dns.…/webhook-aws-….
const (
	attrWeight        = "webhook/aws-weight"
	attrRegion        = "webhook/aws-region"
	attrFailover      = "webhook/aws-failover"
	attrContinent     = "webhook/aws-geolocation-continent-code"
	attrCountry       = "webhook/aws-geolocation-country-code"
	attrSubdivision   = "webhook/aws-geolocation-subdivision-code"
	attrNearRegion    = "webhook/aws-geoproximity-region"
	attrNearBias      = "webhook/aws-geoproximity-bias"
	attrNearPoint     = "webhook/aws-geoproximity-coordinates"
	attrNearGroup     = "webhook/aws-geoproximity-local-zone-group"
	attrMultiValue    = "webhook/aws-multi-value-answer"
	attrHealthCheck   = "webhook/aws-health-check-id"
	attrEvaluate      = "webhook/aws-evaluate-target-health"
	attrTargetZone    = "webhook/aws-target-hosted-zone"
	attrAlias         = backend.AttrAlias
	yes, no           = "true", "false"
	setIdentifierName = "set identifier"
)

// attributes are the names of all of them.
func attributes() []string {
	return []string{
		attrAlias, attrEvaluate, attrFailover, attrContinent, attrCountry, attrSubdivision, attrNearBias, attrNearPoint, attrNearGroup, attrNearRegion,
		attrHealthCheck, attrMultiValue, attrRegion, attrTargetZone, attrWeight,
	}
}

// wrong says what is wrong with a property.
func wrong(property, value, want string) error {
	return fmt.Errorf("property %s is %q: want %s", property, value, want)
}

// truth reads a property that says yes or no. A property without a value says yes: that is how it looks
// when an annotation is empty.
func truth(property, value string) (bool, error) {
	if value == "" {
		return true, nil
	}
	b, err := strconv.ParseBool(strings.ToLower(value))
	if err != nil {
		return false, wrong(property, value, "true or false")
	}
	return b, nil
}

// policy is one way in which Route 53 chooses among record sets of one name and type.
type policy struct {
	name string
	read []property
}

// property is how the value of a property is brought into its canonical form; "" leaves it out.
type property struct {
	name string
	read func(value string) (string, error)
}

// policies lists them (API reference, ResourceRecordSet).
func policies() []policy {
	upper := func(name, want string, ok func(string) bool) property {
		return property{name, func(v string) (string, error) {
			if u := strings.ToUpper(strings.TrimSpace(v)); ok(u) {
				return u, nil
			}
			return "", wrong(name, v, want)
		}}
	}
	region := func(name string) property {
		return property{name, func(v string) (string, error) {
			if r := strings.ToLower(strings.TrimSpace(v)); isRegion(r) {
				return r, nil
			}
			return "", wrong(name, v, "a region, for example eu-west-1")
		}}
	}
	return []policy{
		{"weighted", []property{number(attrWeight, 0, 255)}},
		{"latency", []property{region(attrRegion)}},
		{"failover", []property{upper(attrFailover, "PRIMARY or SECONDARY", func(u string) bool { return u == "PRIMARY" || u == "SECONDARY" })}},
		{"geolocation", []property{
			upper(attrContinent, "one of AF, AN, AS, EU, NA, OC, SA", func(u string) bool { return slices.Contains([]string{"AF", "AN", "AS", "EU", "NA", "OC", "SA"}, u) }),
			upper(attrCountry, "two letters of ISO 3166-1, for example DE, or * for the rest", func(u string) bool { return u == "*" || len(u) == 2 && letters(u) }),
			upper(attrSubdivision, "one to three letters, for example WA", func(u string) bool { return len(u) > 0 && len(u) <= 3 && letters(u) }),
		}},
		{"geoproximity", []property{
			region(attrNearRegion),
			{attrNearGroup, func(v string) (string, error) {
				if g := strings.ToLower(strings.TrimSpace(v)); g != "" && len(g) <= 64 {
					return g, nil
				}
				return "", wrong(attrNearGroup, v, "a local zone group, for example us-west-2-den-1")
			}},
			{attrNearPoint, coordinates},
			number(attrNearBias, -99, 99),
		}},
		{"multivalue answer", []property{{attrMultiValue, func(v string) (string, error) {
			b, err := truth(attrMultiValue, v)
			if err != nil || !b {
				return "", err
			}
			return yes, nil
		}}}},
	}
}

func number(name string, low, high int) property {
	return property{name, func(v string) (string, error) {
		n, err := strconv.Atoi(strings.TrimSpace(v))
		if err != nil || n < low || n > high {
			return "", wrong(name, v, fmt.Sprintf("a number from %d to %d", low, high))
		}
		return strconv.Itoa(n), nil
	}}
}

func letters(s string) bool {
	for _, c := range []byte(s) {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return true
}

// coordinates reads "latitude,longitude" in degrees, of which Route 53 keeps two digits after the point.
func coordinates(v string) (string, error) {
	latitude, longitude, ok := strings.Cut(v, ",")
	lat, ok1 := degrees(latitude, 90)
	long, ok2 := degrees(longitude, 180)
	if !ok || !ok1 || !ok2 {
		return "", wrong(attrNearPoint, v, `"latitude,longitude" in degrees with at most two digits after the point, for example 49.22,-74.01`)
	}
	return lat + "," + long, nil
}

func degrees(s string, limit float64) (string, bool) {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	out := strconv.FormatFloat(f+0, 'f', -1, 64) // -0 is 0
	_, decimals, _ := strings.Cut(out, ".")
	return out, err == nil && f >= -limit && f <= limit && len(decimals) <= 2
}

// routing brings the properties of routing policies into canonical form, and refuses those that
// contradict each other or the set identifier.
func routing(r backend.RRset, out map[string]string) (chosen string, err error) {
	for _, p := range policies() {
		for _, property := range p.read {
			given, ok := r.Attrs[property.name]
			if !ok {
				continue
			}
			value, err := property.read(given)
			if err != nil {
				return "", err
			}
			if value == "" {
				continue
			}
			if chosen != "" && chosen != p.name {
				return "", wrong(property.name, given, "one routing policy, but the properties also ask for "+chosen)
			}
			chosen, out[property.name] = p.name, value
		}
	}
	if err := places(out, chosen); err != nil {
		return "", err
	}
	switch {
	case chosen != "" && r.SetID == "":
		return "", fmt.Errorf("routing policy %s without a %s: want one, by the annotation set-identifier, that tells the record set from the others of its name", chosen, setIdentifierName)
	case chosen == "" && r.SetID != "":
		return "", fmt.Errorf("%s %q without a routing policy: want one beside it, for example %s", setIdentifierName, r.SetID, attrWeight)
	case chosen != "" && r.Type == "NS":
		return "", fmt.Errorf("NS records cannot have routing policy %s", chosen)
	case chosen == "multivalue answer" && r.Type == "CNAME":
		return "", wrong(attrMultiValue, yes, "no CNAME: one answer of many cannot be a CNAME")
	}
	return chosen, nil
}

// places checks that a location is one (API reference, GeoLocation and GeoProximityLocation).
func places(out map[string]string, chosen string) error {
	switch chosen {
	case "geolocation":
		country, continent, subdivision := out[attrCountry], out[attrContinent], out[attrSubdivision]
		switch {
		case continent != "" && (country != "" || subdivision != ""):
			return wrong(attrContinent, continent, "either a continent or a country, not both")
		case subdivision != "" && country != "US" && country != "UA":
			return wrong(attrSubdivision, subdivision, attrCountry+"=US beside it, the country that has subdivisions")
		}
	case "geoproximity":
		var given []string
		for _, name := range []string{attrNearRegion, attrNearPoint, attrNearGroup} {
			if out[name] != "" {
				given = append(given, name)
			}
		}
		if len(given) != 1 {
			return fmt.Errorf("routing policy geoproximity by %d properties %v: want one of %s, %s and %s", len(given), given, attrNearRegion, attrNearPoint, attrNearGroup)
		}
		if out[attrNearBias] == "" {
			out[attrNearBias] = "0"
		}
	}
	return nil
}
