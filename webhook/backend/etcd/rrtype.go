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
	switch t {
	case typeA:
		return "A"
	case typeAAAA:
		return "AAAA"
	case typeCNAME:
		return "CNAME"
	case typeMX:
		return "MX"
	case typePTR:
		return "PTR"
	case typeSRV:
		return "SRV"
	case typeTXT:
		return "TXT"
	case typeFill:
		return "FILL"
	}
	return "none"
}

// idPrefix is how ids of the type begin, after the mark.
func (t rrType) idPrefix() string {
	switch t {
	case typeA:
		return "a-"
	case typeAAAA:
		return "aaaa-"
	}
	return strings.ToLower(t.String()) + "-"
}

// typeOfID is the type an id of ours (without its mark) was made for.
func typeOfID(id string) rrType {
	for t := typeA; t <= typeFill; t++ {
		if strings.HasPrefix(id, t.idPrefix()) {
			return t
		}
	}
	return typeNone
}
