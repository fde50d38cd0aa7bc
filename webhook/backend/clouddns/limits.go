package clouddns

import (
	"fmt"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
)

// The limits of https://cloud.google.com/dns/quotas. Those of one change are its additions, its deletions
// and the data of both together.
const (
	maxData       = 100_000 // bytes of rrdatas in one change
	maxValues     = 100     // records in one RRset
	maxDelegation = 8       // name servers of one delegation
	// maxSet is the most data of one RRset, so that one change can replace it.
	maxSet = maxData / 2
	// maxText leaves room in maxSet for the quotes around every 255 bytes.
	maxText = 49_000
)

// types are those that are ours to read and write, sorted.
func types() []string {
	return []string{"A", "AAAA", "CNAME", "MX", "NAPTR", "NS", "PTR", "SRV", "TXT"}
}

// limits is what Cloud DNS can store (https://cloud.google.com/dns/docs/records-overview).
func limits(batch int, defaultTTL time.Duration) backend.Limits {
	return backend.Limits{
		Types: types(),
		Missing: map[string]string{
			"ALIAS": "Cloud DNS knows it at the zone's own name and in public zones only; use addresses",
			"CAA":   "it belongs to who issues certificates for the zone; it stays untouched",
		},
		Wildcard:   true,
		MaxTTL:     backend.MaxTTL, // dns-api.json, ResourceRecordSet.ttl: int32
		DefaultTTL: defaultTTL,
		MaxValues:  maxValues,
		MaxText:    maxText,
		Atomic:     backend.AtomicUnit,
		MaxBatch:   batch,
		Refuse:     refuse,
	}
}

// refuse is for what no number in Limits expresses.
func refuse(_ string, r backend.RRset) error {
	if r.Type == "NS" && len(r.Values) > maxDelegation {
		return fmt.Errorf("%d name servers, at most %d can be stored", len(r.Values), maxDelegation)
	}
	if n := data(encode(&r).Rrdatas); n > maxSet {
		return fmt.Errorf("values of %d bytes in all, with quotes and escapes; at most %d can be stored", n, maxSet)
	}
	return nil
}

// data is how much of the quota of a change rrdatas take.
func data(rrdatas []string) int {
	n := 0
	for _, v := range rrdatas {
		n += len(v)
	}
	return n
}
