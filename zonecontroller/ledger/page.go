package ledger

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spokedns/spokedns/webhook/backend"
)

// A shard is stored as lines of text, compressed:
//
//	spokedns ledger 1 <zone's UID> <shard>
//	<name> <type>
//	…
//
// The first line says whose it is, so that one that was copied or renamed is not taken for another's.

func heading(zone string, i int) string { return fmt.Sprintf("spokedns ledger 1 %s %x", zone, i) }

// storable says why a key cannot be a line.
func storable(k backend.Key) error {
	for _, field := range []string{k.Name, k.Type} {
		if field == "" || strings.ContainsAny(field, " \n") {
			return fmt.Errorf("%q cannot be written down: want a name and a type without spaces", k)
		}
	}
	if k.SetID != "" {
		return fmt.Errorf("%q cannot be written down: DNS servers know no set identifiers", k)
	}
	return nil
}

// encode is the stored form of a shard; the same keys have the same form.
func encode(zone string, i int, keys map[backend.Key]struct{}) ([]byte, error) {
	lines := make([]string, 0, len(keys))
	for k := range keys {
		lines = append(lines, k.Name+" "+k.Type)
	}
	slices.Sort(lines)
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, strings.Join(slices.Concat([]string{heading(zone, i)}, lines), "\n")+"\n")
	if closed := w.Close(); err == nil {
		err = closed
	}
	return b.Bytes(), err
}

// maxPage is more than a ConfigMap can hold of lines: what unpacks to more is not ours.
const maxPage = 64 << 20

// decode reads the stored form. Whatever encode has not written is an error.
func decode(zone string, i int, stored []byte) (map[backend.Key]struct{}, error) {
	in := bytes.NewReader(stored)
	r, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	r.Multistream(false)
	text, err := io.ReadAll(io.LimitReader(r, maxPage))
	if err != nil {
		return nil, err
	}
	if len(text) == maxPage || in.Len() > 0 {
		return nil, errors.New("it is longer than its content")
	}
	first, rest, _ := strings.Cut(string(text), "\n")
	if want := heading(zone, i); first != want {
		return nil, fmt.Errorf("it begins with %.100q, want %q", first, want)
	}
	keys := map[backend.Key]struct{}{}
	before := ""
	for line := range strings.Lines(rest) {
		name, typ, found := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		k := backend.Key{Name: name, Type: typ}
		if !found || !strings.HasSuffix(line, "\n") || storable(k) != nil || shardOf(k) != i || line <= before {
			return nil, fmt.Errorf("line %.100q is no RRset of this part, or not in its place", line)
		}
		keys[k], before = struct{}{}, line
	}
	return keys, nil
}
