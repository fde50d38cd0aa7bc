package nameserver

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
)

// catalogTTL is of no consequence: nobody but consumers, by transfer, reads a catalog.
const catalogTTL = time.Hour

// CatalogZone is a catalog zone (RFC 9432, schema version 2) with nothing in it: its SOA, with the serial, NS
// and version. It is a zone like others to Ensure, and its members are RRsets like others.
func CatalogZone(catalog string, serial uint32) []backend.RRset {
	return []backend.RRset{
		catalogSet(catalog, "SOA", fmt.Sprintf("invalid. invalid. %d 3600 600 604800 3600", serial)),
		catalogSet(catalog, "NS", "invalid"),
		catalogSet("version."+catalog, "TXT", "2"),
	}
}

// CatalogMember is the RRset that makes a zone a member. Its name follows from the zone's: consumers take another
// one for another zone, and start it anew.
func CatalogMember(catalog, member string) backend.RRset {
	sum := sha256.Sum256([]byte(member))
	return catalogSet(hex.EncodeToString(sum[:16])+".zones."+catalog, "PTR", member)
}

func catalogSet(name, typ, value string) backend.RRset {
	return backend.RRset{Key: backend.Key{Name: name, Type: typ}, TTL: catalogTTL, Values: []string{value}}
}
