package stack

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spokedns/spokedns/e2e/pki"
)

// TSIGKey is a key a DNS server knows (RFC 8945).
type TSIGKey struct {
	Name      string
	Algorithm string // "hmac-sha256", …
	Secret    string // base64
}

// defaultKey is what the servers of a stack accept when nobody asks for another one.
func defaultKey() TSIGKey {
	return TSIGKey{Name: "externaldns", Algorithm: "hmac-sha256", Secret: "c3Bva2VkbnMgc3Bva2VkbnMgc3Bva2VkbnMgc3Bva2U="}
}

// NamedConfig describes a BIND server. Zones are primary and empty at first; every key may transfer and
// update them.
type NamedConfig struct {
	Name        string // of the part, "named" when empty
	Zones       []string
	Keys        []TSIGKey // one hmac-sha256 key when empty
	TLS         bool      // listen for DNS over TLS, too
	ZoneOptions string    // statements for every zone instead of allow-update and allow-transfer
	Host        string    // address to listen on, 127.0.0.1 when empty
}

// Named is a running BIND server that can be killed and started again on the same data.
type Named struct {
	*Part
	Addr    string // host:port for UDP and TCP
	TLSAddr string // host:port for DNS over TLS; empty without
	CAFile  string // authority of the TLS certificate, which is for NamedConfig.Host and dns.internal
	Key     TSIGKey
	Keys    []TSIGKey

	stack *Stack
	name  string
	dir   string
	zones []string
}

// Named starts a BIND server and waits until it serves its zones.
func (s *Stack) Named(ctx context.Context, cfg NamedConfig) (*Named, error) {
	n := &Named{stack: s, name: cfg.Name, zones: cfg.Zones, Keys: cfg.Keys}
	if n.name == "" {
		n.name = "named"
	}
	if len(n.Keys) == 0 {
		n.Keys = []TSIGKey{defaultKey()}
	}
	n.Key = n.Keys[0]
	n.dir = filepath.Join(s.Dir, n.name)
	if err := os.MkdirAll(n.dir, 0o700); err != nil {
		return nil, err
	}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	host := cmp.Or(cfg.Host, "127.0.0.1")
	n.Addr = fmt.Sprintf("%s:%d", host, port)
	conf := fmt.Sprintf("listen-on port %d { %s; };\n", port, host)
	var tlsConf string
	if cfg.TLS {
		if tlsConf, err = n.issueCertificate(host, &conf); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(filepath.Join(n.dir, "named.conf"), []byte(n.conf(tlsConf, conf, cfg.ZoneOptions)), 0o600); err != nil {
		return nil, err
	}
	if err := n.Wipe(); err != nil {
		return nil, err
	}
	return n, n.Restart(ctx)
}

// Restart starts the server again on the data it had; it must have ended.
func (n *Named) Restart(ctx context.Context) error {
	program, err := System("named", "bind9")
	if err != nil {
		return err
	}
	cmd := exec.Command(program, "-g", "-n", "2", "-c", filepath.Join(n.dir, "named.conf"))
	n.Part, err = n.stack.Start(ctx, n.name, servesAll(n.Addr, n.zones), cmd)
	return err
}

// Wipe empties all zones and forgets their history, as an administrator's accident would; the server
// must not run.
func (n *Named) Wipe() error {
	for _, zone := range n.zones {
		path := filepath.Join(n.dir, zone+".db")
		if err := os.RemoveAll(path + ".jnl"); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(emptyZone), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Query asks the server for the records of one name and type, see Query.
func (n *Named) Query(ctx context.Context, name, typ string) ([]string, error) {
	return Query(ctx, n.Addr, name, typ)
}

// emptyZone is the content of a zone with nothing in it, in a file that names no zone.
const emptyZone = "@ 3600 SOA ns hostmaster 1 3600 600 604800 60\n@ 3600 NS ns.invalid.\n"

// conf lifts two limits of BIND's own that are documented for users: it refuses an MX record whose host
// in the same zone has no address yet, and more than 100 records in an RRset. It does not log every record
// that is written or transferred, which would cost more than writing it.
func (n *Named) conf(tlsConf, listen, zoneOptions string) string {
	var b strings.Builder
	b.WriteString(tlsConf)
	var names []string
	for _, k := range n.Keys {
		fmt.Fprintf(&b, "key %q { algorithm %s; secret %q; };\n", k.Name, k.Algorithm, k.Secret)
		names = append(names, fmt.Sprintf("key %q;", k.Name))
	}
	fmt.Fprintf(&b, `options {
	directory %[1]q; pid-file "named.pid"; session-keyfile "session.key"; lock-file none;
	%[2]s	listen-on-v6 { none; };
	recursion no; dnssec-validation no; notify no; empty-zones-enable no;
	check-integrity no; max-records-per-type 0;
	tcp-clients 1000; transfers-out 100;
};
controls {};
logging { category update { null; }; category xfer-out { null; }; category security { null; }; };
`, n.dir, listen)
	if zoneOptions == "" {
		all := strings.Join(names, " ")
		zoneOptions = fmt.Sprintf("allow-update { %s }; allow-transfer { %s };", all, all)
	}
	for _, zone := range n.zones {
		fmt.Fprintf(&b, "zone %q { type primary; file %q; %s };\n", zone, zone+".db", zoneOptions)
	}
	return b.String()
}

func (n *Named) issueCertificate(host string, listen *string) (conf string, err error) {
	port, err := FreePort()
	if err != nil {
		return "", err
	}
	ca, err := pki.New("dns authority", pki.PerTest)
	if err != nil {
		return "", err
	}
	pair, err := ca.Issue(pki.Subject{Name: "dns", Hosts: []string{host, "dns.internal"}})
	if err != nil {
		return "", err
	}
	n.TLSAddr, n.CAFile = fmt.Sprintf("%s:%d", host, port), filepath.Join(n.dir, "ca.crt")
	cert, key := filepath.Join(n.dir, "tls.crt"), filepath.Join(n.dir, "tls.key")
	for path, content := range map[string][]byte{n.CAFile: ca.PEM, cert: pair.Cert, key: pair.Key} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return "", err
		}
	}
	*listen += fmt.Sprintf("\tlisten-on port %d tls ours { %s; };\n", port, host)
	return fmt.Sprintf("tls ours { cert-file %q; key-file %q; };\n", cert, key), nil
}

// servesAll is ready when the server answers for the first and the last zone.
func servesAll(addr string, zones []string) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, zone := range []string{zones[0], zones[len(zones)-1]} {
			soa, err := Query(ctx, addr, zone, "SOA")
			if err == nil && len(soa) == 0 {
				err = fmt.Errorf("%s does not serve %s", addr, zone)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
}
