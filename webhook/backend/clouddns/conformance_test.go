package clouddns_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
	"google.golang.org/api/dns/v1"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/backendtest"
	"github.com/spokedns/spokedns/webhook/backend/clouddns"
	"github.com/spokedns/spokedns/webhook/backend/clouddns/clouddnstest"
)

const (
	project = "platform"
	zone    = "zone.example"
)

// started is a stand-in for the service with a zone, and the settings of a backend that reaches it by a key
// file.
func started(t *testing.T) (*clouddnstest.Server, clouddns.Config) {
	t.Helper()
	s, err := clouddnstest.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	s.AddZone(clouddnstest.Zone{Project: project, Name: "main", DNSName: zone})
	return s, clouddns.Config{Projects: []string{project}, Endpoint: s.URL(), CredentialsFile: file(t, s.KeyFile(project))}
}

// file writes a file into a directory of the test.
func file(t *testing.T, content []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "credentials.json")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func opened(t *testing.T, c clouddns.Config) *clouddns.Backend {
	t.Helper()
	b, err := clouddns.New(c, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func TestConformance(t *testing.T) {
	t.Parallel()
	backendtest.Run(t, harness(func(*clouddnstest.Limits) {}))
}

// Pages are tiny, and messages are those of earlier years.
func TestConformanceWithTinyPages(t *testing.T) {
	t.Parallel()
	backendtest.Run(t, harness(func(l *clouddnstest.Limits) { l.Page, l.ZonesPage, l.IndexedMessage = 7, 1, true }))
}

func harness(limit func(*clouddnstest.Limits)) backendtest.Harness {
	return backendtest.Harness{
		Unknown: "unknown.example",
		Fresh: func(t *testing.T) backendtest.Subject {
			s, c := started(t)
			s.AddZone(clouddnstest.Zone{Project: project, Name: "other", DNSName: "other.example", Visibility: "private"})
			s.Limit(limit)
			managed := map[string]string{zone: "main", "other.example": "other"}
			return backendtest.Subject{
				Backend: opened(t, c), Zone: zone, Other: "other.example",
				Put:    func(_ *testing.T, zone string, r backend.RRset) { s.Put(project, managed[zone], record(r)) },
				Remove: func(_ *testing.T, zone string, k backend.Key) { s.Remove(project, managed[zone], k.Name+".", k.Type) },
				Reopen: func(t *testing.T) backend.Backend { return opened(t, c) },
				Verify: func(t *testing.T, zone string, want []backend.RRset) {
					verify(t, s.Records(project, managed[zone]), want)
				},
			}
		},
	}
}

// record is an RRset as other tools write it: texts escape no more than they must.
func record(r backend.RRset) clouddnstest.Record {
	out := clouddnstest.Record{Name: r.Name + ".", Type: r.Type, TTL: int64(r.TTL / time.Second)}
	for _, v := range r.Values {
		switch r.Type {
		case "TXT":
			v = texts(v)
		case "CNAME", "MX", "NAPTR", "NS", "PTR", "SRV":
			v = strings.TrimSuffix(v, ".") + "."
		}
		out.Rrdatas = append(out.Rrdatas, v)
	}
	return out
}

// texts is a text in quotes, escaped only where it must.
func texts(v string) string {
	var parts []string
	for first := true; first || v != ""; first = false {
		n := min(len(v), 255)
		var b strings.Builder
		for _, c := range []byte(v[:n]) {
			switch {
			case c == '"' || c == '\\':
				b.WriteString(`\` + string(c))
			case c < ' ' || c == 0x7f:
				fmt.Fprintf(&b, `\%03d`, c)
			default:
				b.WriteByte(c)
			}
		}
		parts, v = append(parts, `"`+b.String()+`"`), v[n:]
	}
	return strings.Join(parts, " ")
}

// verify compares with what the server holds, as a name server would read it. It does not ask about
// wildcards: the server answers no DNS.
func verify(t *testing.T, held []clouddnstest.Record, want []backend.RRset) {
	t.Helper()
	for _, w := range want {
		i := slices.IndexFunc(held, func(r clouddnstest.Record) bool { return r.Name == w.Name+"." && r.Type == w.Type })
		switch {
		case i < 0 && (len(w.Values) == 0 || w.TTL == 0): // it is gone, or an answer by a wildcard
		case i < 0:
			t.Errorf("the service does not hold %s", w.Key)
		case !slices.Equal(wire(t, held[i]), wire(t, record(w))) || len(w.Values) > 0 && held[i].TTL != int64(w.TTL.Seconds()):
			t.Errorf("the service holds %s %d %.300q, want %s %.300q", w.Key, held[i].TTL, held[i].Rrdatas, w.TTL, w.Values)
		}
	}
}

// wire is the data of records as DNS carries it, sorted; the strings of a text are one.
func wire(t *testing.T, r clouddnstest.Record) []string {
	t.Helper()
	var out []string
	for _, v := range r.Rrdatas {
		rr, err := mdns.NewRR(fmt.Sprintf("x. 1 IN %s %s", r.Type, v))
		if err != nil {
			t.Fatal(err)
		}
		packed := make([]byte, 65535)
		n, err := mdns.PackRR(rr, packed, 0, nil, false)
		if err != nil {
			t.Fatal(err)
		}
		const before = 3 + 10 // the name x., type, class, TTL and length
		data := string(packed[before:n])
		if r.Type == "TXT" {
			var text strings.Builder
			for data != "" {
				length := int(data[0])
				text.WriteString(data[1 : 1+length])
				data = data[1+length:]
			}
			data = text.String()
		}
		out = append(out, data)
	}
	slices.Sort(out)
	return out
}

// set is an RRset of the zone.
func set(label, typ string, values ...string) backend.RRset {
	name := zone
	if label != "@" {
		name = label + "." + zone
	}
	slices.Sort(values)
	return backend.RRset{Key: backend.Key{Name: name, Type: typ}, TTL: 5 * time.Minute, Values: values}
}

func create(sets ...backend.RRset) []backend.Change {
	var changes []backend.Change
	for _, s := range sets {
		changes = append(changes, backend.Change{New: &s})
	}
	return changes
}

// published is n names, each with an address and an ownership text, in the units of external-dns.
func published(n int, value string) []backend.Change {
	var changes []backend.Change
	for i := range n {
		label := fmt.Sprintf("host%05d", i)
		a, txt := set(label, "A", value), set("a-"+label, "TXT", `"heritage=external-dns,external-dns/owner=hub,external-dns/resource=ingress/shop/`+label+`"`)
		changes = append(changes, backend.Change{New: &a, Unit: a.Name}, backend.Change{New: &txt, Unit: a.Name})
	}
	return changes
}

// put puts what changes create into the zone behind the backend's back.
func put(s *clouddnstest.Server, changes []backend.Change) {
	for _, c := range changes {
		raw := record(*c.New)
		s.Put(project, "main", raw)
	}
}

func mustList(t *testing.T, b backend.Backend) []backend.RRset {
	t.Helper()
	sets, err := b.List(t.Context(), zone)
	if err != nil {
		t.Fatal(err)
	}
	return sets
}

// find returns what the zone holds under a name and type.
func find(s *clouddnstest.Server, label, typ string) *dns.ResourceRecordSet {
	for _, r := range s.Records(project, "main") {
		if r.Name == label+"."+zone+"." && r.Type == typ {
			return &dns.ResourceRecordSet{Name: r.Name, Type: r.Type, Ttl: r.TTL, Rrdatas: r.Rrdatas}
		}
	}
	return nil
}
