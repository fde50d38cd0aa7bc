package content

import (
	"strings"

	"github.com/spokedns/spokedns/webhook/backend"
)

// owners knows which records external-dns has marked as its own, by the names of its TXT records. How it names them
// depends on flags that nobody here knows, so all ways are read that a name can be read in:
//
//	a-www.example.org            the record's type and name; without flags
//	www.example.org              the record's name, all types (before v0.12)
//	edns.a-www.example.org       --txt-prefix=edns.
//	edns-a-www.example.org       --txt-prefix=edns-
//	edns-a.www.example.org       --txt-prefix=edns-%{record_type}.
//	a-www-edns.example.org       --txt-suffix=-edns
//
// All but the first two are only read when the record that the first way would mean does not stand. What cannot be seen:
// the replacement of a wildcard's star, a prefix that ends neither in a dot nor in a dash, encrypted texts, and registries
// outside DNS.
type owners struct {
	byKey  map[backend.Key]*Owned // records
	byName map[string]*Owned      // names with all their records but TXT
}

// of is whose a record is, nil for nobody's.
func (o *owners) of(k backend.Key) *Owned {
	if owned := o.byKey[k]; owned != nil {
		return owned
	}
	if owned := o.byName[k.Name]; owned != nil && k.Type != "TXT" {
		return &Owned{Key: k, Text: owned.Text, Owner: owned.Owner}
	}
	return nil
}

// ExternalDNS tells which of the RRsets in a zone external-dns has marked as its own, and which are those marks; nil for the
// others. live are all RRsets of the zone.
func ExternalDNS(live []backend.RRset) func(backend.Key) *Owned {
	o := readOwners(live, func(backend.Key) bool { return false })
	return func(k backend.Key) *Owned {
		if mark := o.byName[k.Name]; mark != nil && k.Type == "TXT" {
			return &Owned{Key: k, Text: mark.Text, Owner: mark.Owner}
		}
		return o.of(k)
	}
}

// readOwners reads the ownership texts in a zone, but those that are known not to be external-dns's.
func readOwners(live []backend.RRset, known func(backend.Key) bool) *owners {
	o := &owners{byKey: map[backend.Key]*Owned{}, byName: map[string]*Owned{}}
	var texts []Owned
	for i := range live {
		if live[i].Type != "TXT" {
			continue
		}
		for _, text := range live[i].Values {
			if owner, ok := ownerOf(text); ok && !known(live[i].Key) {
				texts = append(texts, Owned{Text: live[i].Name, Owner: owner})
				break
			}
		}
	}
	if len(texts) == 0 {
		return o
	}
	stands := byKey(live)
	for i := range texts {
		t := texts[i]
		o.byName[t.Text] = &t
		plain, isPlain := typed(t.Text)
		if isPlain {
			o.mark(plain, &t)
		}
		if isPlain && stands[plain] != nil {
			continue
		}
		for _, k := range affixed(t.Text) {
			o.mark(k, &t)
		}
	}
	return o
}

func (o *owners) mark(k backend.Key, t *Owned) {
	if o.byKey[k] == nil {
		o.byKey[k] = &Owned{Key: k, Text: t.Text, Owner: t.Owner}
	}
}

// ownerOf reads the owner out of an ownership text.
func ownerOf(text string) (owner string, ok bool) {
	text = strings.Trim(text, `"`)
	if !strings.HasPrefix(text, heritage) {
		return "", false
	}
	_, rest, _ := strings.Cut(text, "external-dns/owner=")
	owner, _, _ = strings.Cut(rest, ",")
	return owner, true
}

// typed reads "a-www.example.org".
func typed(name string) (backend.Key, bool) {
	typ, rest, ok := strings.Cut(name, "-")
	if !ok || rest == "" || !isType(typ) {
		return backend.Key{}, false
	}
	return backend.Key{Name: rest, Type: strings.ToUpper(typ)}, true
}

// affixed are the records that a name with a prefix or a suffix can mean.
func affixed(name string) []backend.Key {
	var keys []backend.Key
	for i := range len(name) {
		if i > 0 && name[i-1] != '.' && name[i-1] != '-' && name[i-1] != '_' {
			continue
		}
		typ, rest, _ := strings.Cut(name[i:], "-")
		if rest != "" && isType(typ) { // edns.a-www.example.org, and with a suffix a-www-edns.example.org
			k := backend.Key{Name: rest, Type: strings.ToUpper(typ)}
			keys = append(keys, k)
			label, zone, _ := strings.Cut(rest, ".")
			for at := range len(label) {
				if at > 0 && (label[at] == '-' || label[at] == '_') {
					keys = append(keys, backend.Key{Name: label[:at] + "." + zone, Type: k.Type})
				}
			}
		}
		typ, rest, _ = strings.Cut(name[i:], ".")
		if rest != "" && isType(typ) { // edns-a.www.example.org
			keys = append(keys, backend.Key{Name: rest, Type: strings.ToUpper(typ)})
		}
	}
	return keys
}

// isType reports whether a part of a name is a type that external-dns publishes.
func isType(s string) bool {
	switch s {
	case "a", "aaaa", "cname", "txt", "mx", "ns", "srv", "ptr", "naptr", "caa":
		return true
	}
	return false
}
