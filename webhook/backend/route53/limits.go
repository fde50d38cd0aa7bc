package route53

import (
	"fmt"
	"unicode/utf8"

	"github.com/spokedns/spokedns/webhook/backend"
)

// The limits of the service (Developer Guide, Quotas; API reference, ResourceRecord and ResourceRecordSet).
const (
	maxValues        = 400   // values in one record set
	maxValueLength   = 4000  // characters in one value
	maxText          = 3953  // bytes of plain text that fit into them, in strings of 255 with quotes and spaces
	maxSetID         = 128   // bytes of a set identifier
	batchRecords     = 1000  // ResourceRecord elements in one request
	batchCharacters  = 32000 // characters of all Value elements in one request
	replaceableChars = 16000 // characters of one record set that can be replaced by as many in one request
	pageSize         = 300   // record sets in one page of a listing
	tagsPage         = 10    // zones whose tags are listed in one request
)

// limits says what Route 53 stores (Developer Guide, Supported DNS Record Types).
func limits(c Config) backend.Limits {
	const reason = "external-dns does not publish it; records of this type are left alone"
	return backend.Limits{
		Types:      []string{"A", "AAAA", "CNAME", "MX", "NAPTR", "NS", "PTR", "SRV", "TXT"},
		Missing:    map[string]string{"CAA": reason, "DS": reason, "HTTPS": reason, "SSHFP": reason, "SVCB": reason, "TLSA": reason, "DNAME": "Route 53 does not know it"},
		Wildcard:   true,
		SetIDs:     true,
		Attrs:      attributes(),
		DefaultTTL: c.DefaultTTL,
		MaxValues:  maxValues,
		MaxText:    maxText,
		Atomic:     backend.AtomicBatch,
		MaxBatch:   batchRecords,
		Refuse: func(zone string, r backend.RRset) error {
			_, err := former{c}.form(zone, r)
			return err
		},
	}
}

// refuse says why a record set cannot be stored for its size or for what it is.
func refuse(r backend.RRset) error {
	switch {
	case len(r.SetID) > maxSetID:
		return fmt.Errorf("a set identifier of %d bytes, at most %d can be stored", len(r.SetID), maxSetID)
	case r.Type == "NS" && len(r.Name) > 1 && r.Name[:2] == "*.":
		return fmt.Errorf("a wildcard name cannot have NS records")
	}
	total := 0
	for _, v := range r.Values {
		n := utf8.RuneCountInString(wireValue(r.Type, v))
		if n > maxValueLength {
			return fmt.Errorf("a value of %d characters with quotes and escapes, at most %d can be stored", n, maxValueLength)
		}
		total += n
	}
	if total > replaceableChars {
		return fmt.Errorf("values of %d characters together, at most %d can be replaced in one step", total, replaceableChars)
	}
	return nil
}
