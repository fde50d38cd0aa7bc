package stack

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// PowerDNSConfig describes a PowerDNS server on SQLite. Zones are primary and empty at first; one key may
// transfer and update them.
type PowerDNSConfig struct {
	Name  string // of the part, "pdns" when empty
	Zones []string
}

// PowerDNS is a running PowerDNS server that can be killed and started again on the same data.
type PowerDNS struct {
	*Part
	Addr string // host:port for UDP and TCP
	Key  TSIGKey

	stack *Stack
	name  string
	dir   string
	zones []string
}

// pdnsSchema is where Debian keeps the tables of the backend.
const pdnsSchema = "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql"

// PowerDNS starts a PowerDNS server and waits until it serves its zones.
func (s *Stack) PowerDNS(ctx context.Context, cfg PowerDNSConfig) (*PowerDNS, error) {
	p := &PowerDNS{stack: s, name: cfg.Name, zones: cfg.Zones, Key: defaultKey()}
	if p.name == "" {
		p.name = "pdns"
	}
	p.dir = filepath.Join(s.Dir, p.name)
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return nil, err
	}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	p.Addr = fmt.Sprintf("127.0.0.1:%d", port)
	if err := p.createDatabase(ctx); err != nil {
		return nil, err
	}
	conf := fmt.Sprintf(`launch=gsqlite3
gsqlite3-database=%[1]s/pdns.sqlite3
gsqlite3-pragma-synchronous=0
local-address=127.0.0.1
local-port=%[2]d
socket-dir=%[1]s
primary=no
dnsupdate=yes
allow-dnsupdate-from=127.0.0.0/8
allow-axfr-ips=
max-tcp-connections=200
max-tcp-transactions-per-conn=0
consistent-backends=yes
zone-cache-refresh-interval=0
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
`, p.dir, port)
	if err := os.WriteFile(filepath.Join(p.dir, "pdns.conf"), []byte(conf), 0o600); err != nil {
		return nil, err
	}
	return p, p.Restart(ctx)
}

// Restart starts the server again on the data it had; it must have ended.
func (p *PowerDNS) Restart(ctx context.Context) error {
	program, err := System("pdns_server", "pdns-server")
	if err != nil {
		return err
	}
	cmd := exec.Command(program, "--config-dir="+p.dir, "--daemon=no", "--guardian=no", "--disable-syslog", "--write-pid=no")
	p.Part, err = p.stack.Start(ctx, p.name, servesAll(p.Addr, p.zones), cmd)
	return err
}

// Query asks the server for the records of one name and type, see Query.
func (p *PowerDNS) Query(ctx context.Context, name, typ string) ([]string, error) {
	return Query(ctx, p.Addr, name, typ)
}

// createDatabase makes the tables, the key and the zones, with the rights that pdnsutil's
// "set-meta ZONE TSIG-ALLOW-DNSUPDATE KEY" and its like give.
func (p *PowerDNS) createDatabase(ctx context.Context) error {
	schema, err := os.ReadFile(pdnsSchema)
	if err != nil {
		return fmt.Errorf("the tables of PowerDNS are missing: run `make packages`, or install the Debian package pdns-backend-sqlite3: %w", err)
	}
	sqlite, err := System("sqlite3", "sqlite3")
	if err != nil {
		return err
	}
	var b strings.Builder
	b.Write(schema)
	b.WriteString("\nPRAGMA journal_mode=WAL;\nBEGIN;\n")
	fmt.Fprintf(&b, "INSERT INTO tsigkeys (name, algorithm, secret) VALUES ('%s', '%s', '%s');\n", p.Key.Name, p.Key.Algorithm, p.Key.Secret)
	for i, zone := range p.zones {
		fmt.Fprintf(&b, "INSERT INTO domains (id, name, type) VALUES (%d, '%s', 'NATIVE');\n", i+1, zone)
		for typ, content := range map[string]string{
			"SOA": "ns." + zone + " hostmaster." + zone + " 1 3600 600 604800 60", "NS": "ns.invalid",
		} {
			fmt.Fprintf(&b, "INSERT INTO records (domain_id, name, type, content, ttl, auth) VALUES (%d, '%s', '%s', '%s', 3600, 1);\n", i+1, zone, typ, content)
		}
		for _, kind := range []string{"TSIG-ALLOW-AXFR", "TSIG-ALLOW-DNSUPDATE"} {
			fmt.Fprintf(&b, "INSERT INTO domainmetadata (domain_id, kind, content) VALUES (%d, '%s', '%s');\n", i+1, kind, p.Key.Name)
		}
	}
	b.WriteString("COMMIT;\n")
	cmd := exec.CommandContext(ctx, sqlite, filepath.Join(p.dir, "pdns.sqlite3"))
	cmd.Stdin = strings.NewReader(b.String())
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("create the database of PowerDNS: %w: %s", err, out.String())
	}
	return nil
}
