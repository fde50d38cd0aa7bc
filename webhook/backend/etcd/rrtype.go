package etcd

import "strings"

// rrType is a record type that a key can hold, small because there are hundreds of thousands of them.
type rrType uint8

const (
	typeNone rrType = iota
	typeA
	typeAAAA
	typeCNAME
	typeMX
	typePTR
	typeSRV
	typeTXT
	// typeFill is no record: it makes the weights of a name's SRV records add up (see fill).
	typeFill
)

// typeOf is the type of that name, typeNone for those a key cannot hold.
func typeOf(name string) rrType {
	for t := typeA; t <= typeTXT; t++ {
		if t.String() == name {
			return t
		}
	}
	return typeNone
}

// String is the type as in backend.Key.
func (t rrType) String() string {
	return [...]string{"", "A", "AAAA", "CNAME", "MX", "PTR", "SRV", "TXT", "fill"}[t]
}

// idPrefix is how ids of the type begin, after the mark.
func (t rrType) idPrefix() string {
	return [...]string{"-", "a-", "aaaa-", "cname-", "mx-", "ptr-", "srv-", "txt-", "fill-"}[t]
}

// typeOfID is the type an id of ours, with its mark, was made for.
func typeOfID(id string) rrType {
	for t := typeA; t <= typeFill; t++ {
		if strings.HasPrefix(id[len(idMark):], t.idPrefix()) {
			return t
		}
	}
	return typeNone
}
