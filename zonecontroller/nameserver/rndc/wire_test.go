package rndc

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/zonecontroller/keyfile"
	"github.com/spokedns/spokedns/zonecontroller/keyfile/clause"
)

const secret = "c3Bva2VkbnMgc3Bva2VkbnMgc3Bva2VkbnMgc3Bva2U="

func signers(t testing.TB) []*signer {
	t.Helper()
	var all []*signer
	for _, algorithm := range keyfile.Algorithms() {
		s, err := newSigner(algorithm, secret)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

func tables(depth int) *rapid.Generator[table] {
	return rapid.Custom(func(r *rapid.T) table {
		t := table{}
		for range rapid.IntRange(0, 4).Draw(r, "n") {
			key := rapid.StringN(0, 20, 60).Draw(r, "key")
			if depth > 0 && rapid.Bool().Draw(r, "nested") {
				t = append(t, entry{key, tables(depth-1).Draw(r, "table")})
			} else {
				t = append(t, entry{key, rapid.String().Draw(r, "value")})
			}
		}
		return t
	})
}

// TestMessagesOpen signs tables with each algorithm: they open with the same key, and with no other, and no byte
// can be another one.
func TestMessagesOpen(t *testing.T) {
	all := signers(t)
	rapid.Check(t, func(r *rapid.T) {
		s := rapid.SampledFrom(all).Draw(r, "algorithm")
		want := tables(3).Draw(r, "table")
		msg := s.message(want)
		if int(binary.BigEndian.Uint32(msg)) != len(msg)-4 {
			r.Fatal("the length is wrong")
		}
		got, err := s.open(msg[4:])
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(entry{})); err != nil || diff != "" {
			r.Fatalf("%v\n%s", err, diff)
		}
		for _, other := range all {
			if _, err := other.open(msg[4:]); (err == nil) != (other == s) {
				r.Fatalf("opened by another algorithm: %v", err)
			}
		}
		changed := bytes.Clone(msg[4:])
		changed[rapid.IntRange(0, len(changed)-1).Draw(r, "at")] ^= byte(rapid.IntRange(1, 255).Draw(r, "bits"))
		if _, err := s.open(changed); err == nil {
			r.Fatal("a changed message opens")
		}
	})
}

func TestSignerRefuses(t *testing.T) {
	for _, tt := range [][2]string{{"hmac-md5", secret}, {"", secret}, {"hmac-sha256", "?"}, {"hmac-sha256", ""}} {
		if _, err := newSigner(tt[0], tt[1]); err == nil {
			t.Errorf("%q: no error", tt)
		}
	}
}

// FuzzReadTable reads anything: within bounds, and without losing what it read.
func FuzzReadTable(f *testing.F) {
	f.Add(appendTable(nil, table{{"_ctrl", table{{"_ser", "1"}}}, {"_data", table{{"type", "null"}}}}))
	f.Add([]byte{1, 'a', kindList, 0, 0, 0, 6, kindBytes, 0, 0, 0, 1, 'x'})
	f.Add([]byte{1, 'a', kindTable, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := readTable(b, 0)
		if err != nil {
			return
		}
		again, err := readTable(appendTable(nil, got), 0)
		if diff := cmp.Diff(got, again, cmp.AllowUnexported(entry{})); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	})
}

func TestReadTableRefuses(t *testing.T) {
	deep := appendTable(nil, table{{"a", "b"}})
	for range maxDepth + 1 {
		deep = append(binary.BigEndian.AppendUint32([]byte{1, 'a', kindTable}, uint32(len(deep))), deep...)
	}
	for name, b := range map[string][]byte{
		"a key that is cut":      {5, 'a'},
		"no value":               {1, 'a'},
		"a value that is cut":    {1, 'a', kindBytes, 0, 0, 0, 2, 'x'},
		"an unknown kind":        {1, 'a', 9, 0, 0, 0, 0},
		"an element that is cut": {1, 'a', kindList, 0, 0, 0, 1, 0},
		"too deep":               deep,
	} {
		if got, err := readTable(b, 0); err == nil {
			t.Errorf("%s: %v; want an error", name, got)
		}
	}
}

// FuzzCommandsAreOneZone builds commands of what anybody may write into an object: the server's parser finds
// one zone, of this name, with as many statements as we set.
func FuzzCommandsAreOneZone(f *testing.F) {
	f.Add("example.org", "", "file.db", "k")
	f.Add("0/25.2.0.192.in-addr.arpa", "inside", "a b", `k"; }; };`)
	f.Add(`x"; }; zone "y`, "v { };", "\n", "#")
	f.Add("-clean", "-redirect", "//", "/*")
	f.Fuzz(func(t *testing.T, name, view, file, key string) {
		z := Zone{name, view}
		command, err := configuring("addzone", z, []clause.Statement{clause.Of("type", "primary"), clause.Text("file", file), clause.Of("allow-update").With(clause.Of("key", key))})
		if err != nil {
			return
		}
		// named reads what follows the verb as it reads named.conf behind the word zone.
		all, err := clause.Parse("zone " + strings.TrimPrefix(command, "addzone "))
		words := 2
		if view != "" {
			words = 4
		}
		if err != nil || len(all) != 1 || len(all[0].Words) != words || len(all[0].Block) != 3 {
			t.Fatalf("%q is read as %v, %v", command, all, err)
		}
		if strings.ContainsAny(command, "\r\n\x00") || all[0].Block[1].Value() != file || all[0].Block[2].Block[0].Value() != key {
			t.Errorf("%q is read as %v", command, all)
		}
		args, err := z.arguments()
		if err != nil || len(strings.Fields(args)) != words-1 || strings.ContainsAny(args, "{};\"#\\") || strings.HasPrefix(args, "-") {
			t.Errorf("the zone is %q, %v", args, err)
		}
	})
}
