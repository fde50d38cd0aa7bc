package detect

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Config says how the site's addresses are found.
type Config struct {
	IPv4        FamilyConfig  `yaml:"ipv4"        embed:"" prefix:"ipv4-"`
	IPv6        FamilyConfig  `yaml:"ipv6"        embed:"" prefix:"ipv6-"`
	Need        int           `yaml:"need"        name:"need"         help:"Operators that have to agree on an address." default:"3"`
	Rounds      int           `yaml:"rounds"      name:"rounds"       help:"Rounds in a row that have to agree before an address changes." default:"2"`
	Canary      time.Duration `yaml:"canary"      name:"canary"       help:"Time from asking one operator whether the address still holds to asking the next one, at least." default:"30s"`
	Audit       time.Duration `yaml:"audit"       name:"audit"        help:"Time from asking all operators to asking them again, when nothing looks different." default:"15m"`
	Confirm     time.Duration `yaml:"confirm"     name:"confirm"      help:"Time from a round that saw another address to the one that confirms it." default:"4s"`
	PerOperator int           `yaml:"perOperator" name:"per-operator" help:"Queries an operator gets in an hour at most." default:"28"`
	Router      string        `yaml:"router"      name:"router"       help:"The site's router, asked for its IPv4 address: natpmp://ADDRESS, upnp+http://ADDRESS:PORT/PATH or ssdp://ADDRESS:1900." placeholder:"URL"`
	RouterEvery time.Duration `yaml:"routerEvery" name:"router-every" help:"Time from asking the router to asking it again." default:"1s"`
	CAFile      string        `yaml:"caFile"      name:"ca-file"      help:"Certificate authorities to trust instead of the system's, in PEM." placeholder:"FILE"`
}

// FamilyConfig says how the address of one family is found.
type FamilyConfig struct {
	Mode       string   `yaml:"mode"       name:"mode"        help:"How the address is found: echo (operators outside say it), service (status of a Service), node (ExternalIP of the nodes), interface, prefix (IPv6: prefix and hostID), static, or off. Default: echo for IPv4, off for IPv6." placeholder:"MODE"`
	Sources    []string `yaml:"sources"    name:"sources"     help:"Whom to ask in mode echo and prefix, as OPERATOR[/NAME]=URL. Default: Cloudflare, Google, Cisco, Amazon and ipify." placeholder:"SOURCE"`
	Address    string   `yaml:"address"    name:"address"     help:"The address, in mode static." placeholder:"ADDRESS"`
	Service    string   `yaml:"service"    name:"service"     help:"The Service, in mode service." placeholder:"NAMESPACE/NAME"`
	Interface  string   `yaml:"interface"  name:"interface"   help:"The network interface, in mode interface, and in mode prefix when the prefix is to come from it instead of from outside." placeholder:"NAME"`
	Within     string   `yaml:"within"     name:"within"      help:"Only addresses of the interface in this prefix." placeholder:"PREFIX"`
	PrefixBits int      `yaml:"prefixBits" name:"prefix-bits" help:"Length of the prefix, in mode prefix. Default: 64." placeholder:"BITS"`
	HostID     string   `yaml:"hostID"     name:"host-id"     help:"What stands behind the prefix, in mode prefix: ::53" placeholder:"ADDRESS"`
}

// The modes.
const (
	ModeEcho      = "echo"
	ModeService   = "service"
	ModeNode      = "node"
	ModeInterface = "interface"
	ModePrefix    = "prefix"
	ModeStatic    = "static"
	ModeOff       = "off"
)

// Cluster is what the modes service and node ask.
type Cluster interface {
	// ServiceAddresses gives the addresses in the status of a Service, of both families.
	ServiceAddresses(ctx context.Context, namespace, name string) ([]netip.Addr, error)
	// NodeAddresses gives the ExternalIP of all nodes, of both families.
	NodeAddresses(ctx context.Context) ([]netip.Addr, error)
}

// mode is the mode with its default.
func (c FamilyConfig) mode(family Family) string {
	switch {
	case c.Mode != "":
		return c.Mode
	case family == IPv4:
		return ModeEcho
	}
	return ModeOff
}

// echoes says whether operators outside are asked.
func (c FamilyConfig) echoes(family Family) bool {
	m := c.mode(family)
	return m == ModeEcho || m == ModePrefix && c.Interface == ""
}

// asks is whom to ask.
func (c FamilyConfig) asks(family Family) []string {
	if len(c.Sources) == 0 {
		return defaultSources(family)
	}
	return c.Sources
}

// families are the two of a Config.
func (c Config) families() map[Family]FamilyConfig {
	return map[Family]FamilyConfig{IPv4: c.IPv4, IPv6: c.IPv6}
}

// wrong collects mistakes.
type wrong []error

// add notes a mistake: which field, what it holds, what would be right.
func (w *wrong) add(field, value, want string) {
	if value == "" {
		*w = append(*w, fmt.Errorf("%s: %s", field, want))
		return
	}
	*w = append(*w, fmt.Errorf("%s: %q: %s", field, value, want))
}

// Validate reports every wrong setting: the field, its value, what would be right. It reads no file and asks
// nobody.
func (c Config) Validate() error {
	var w wrong
	p := c.plan()
	for _, s := range []struct {
		field string
		d     time.Duration
	}{{"canary", p.Canary}, {"audit", p.Audit}, {"confirm", p.Confirm}, {"routerEvery", p.RouterEvery}} {
		if s.d < 100*time.Millisecond {
			w.add(s.field, s.d.String(), "want at least 100ms")
		}
	}
	if p.Rounds < 1 || p.Rounds > 10 {
		w.add("rounds", strconv.Itoa(p.Rounds), "want from 1 to 10")
	}
	if c.Router != "" {
		if _, err := parseRouter(c.Router); err != nil {
			w.add("router", c.Router, err.Error())
		}
	}
	if c.IPv4.mode(IPv4) == ModeOff && c.IPv6.mode(IPv6) == ModeOff {
		w.add("ipv4.mode", c.IPv4.Mode, "want another mode than off for one of the families at least")
	}
	for _, family := range []Family{IPv4, IPv6} {
		c.families()[family].validate(&w, family, p)
	}
	return errors.Join(w...)
}

// validate reports the mistakes of one family.
func (c FamilyConfig) validate(w *wrong, family Family, p Plan) {
	at := family.String() + "."
	switch m := c.mode(family); m {
	case ModeEcho, ModeNode, ModeOff:
	case ModeService:
		if namespace, name, ok := strings.Cut(c.Service, "/"); !ok || namespace == "" || name == "" || strings.Contains(name, "/") {
			w.add(at+"service", c.Service, "want NAMESPACE/NAME, for example ingress/gateway")
		}
	case ModeInterface:
		if c.Interface == "" {
			w.add(at+"interface", "", "want the name of the interface, for example eth0")
		}
	case ModeStatic:
		a, err := netip.ParseAddr(c.Address)
		if err == nil {
			err = check(a, family)
		}
		if err != nil {
			w.add(at+"address", c.Address, fmt.Sprintf("want a public %s address: %v", family, err))
		}
	case ModePrefix:
		host, err := netip.ParseAddr(c.HostID)
		switch {
		case family != IPv6:
			w.add(at+"mode", m, "want another mode for IPv4: it has no host ids")
		case err != nil || !host.Is6() || host.Zone() != "":
			w.add(at+"hostID", c.HostID, "want the lower bits of an IPv6 address, for example ::53")
		case c.PrefixBits < 0 || c.PrefixBits > 127:
			w.add(at+"prefixBits", strconv.Itoa(c.PrefixBits), "want from 1 to 127, for example 64")
		}
	default:
		w.add(at+"mode", m, "want echo, service, node, interface, prefix, static or off")
	}
	if c.Within != "" {
		if pre, err := netip.ParsePrefix(c.Within); err != nil || !isOf(family, pre.Addr()) {
			w.add(at+"within", c.Within, fmt.Sprintf("want a prefix of %s addresses", family))
		}
	}
	if c.echoes(family) {
		c.validateSources(w, at, family, p)
	}
}

// validateSources checks whom to ask: enough operators, each source by a name of its own, all within the
// budget.
func (c FamilyConfig) validateSources(w *wrong, at string, family Family, p Plan) {
	names, operators, most := map[string]bool{}, map[string]int{}, 0
	for i, text := range c.asks(family) {
		field := fmt.Sprintf("%ssources[%d]", at, i)
		s, err := parseSource(text, nil)
		if err != nil {
			w.add(field, text, err.Error())
			continue
		}
		id := s.Identity()
		if names[id.Name] {
			w.add(field, text, "want a name of its own: "+id.Operator+"/NAME=URL")
		}
		names[id.Name] = true
		operators[id.Operator]++
		most = max(most, operators[id.Operator])
	}
	if len(operators) < 3 {
		w.add(at+"sources", strings.Join(c.Sources, " "), "want sources of at least 3 operators: of two that differ nobody knows who is right")
		return
	}
	if least := min(3, len(operators)/2+1); p.Need < least || p.Need > len(operators) {
		w.add("need", strconv.Itoa(p.Need), fmt.Sprintf("want from %d to %d with the %d operators of %s", least, len(operators), len(operators), family))
	}
	audits := int(math.Ceil(float64(time.Hour) / float64(max(p.Audit, time.Second))))
	if least := (audits+changesAnHour*p.Rounds)*most + 2; p.PerOperator < least {
		w.add("perOperator", strconv.Itoa(p.PerOperator), fmt.Sprintf("want at least %d with an audit each %s, or rarer audits", least, p.Audit))
	}
}
