package policy

import "time"

// Config is what the platform team decides.
type Config struct {
	Views     []View            `yaml:"views" help:"one audience of the DNS each, with its zones and rules"`
	Targets   map[string]Target `yaml:"targets" help:"what rules rewrite to, by name"`
	Overrides Overrides         `yaml:"overrides" help:"what annotations on an object may decide"`
}

// View is one audience of the DNS: "public", "internal".
type View struct {
	Name  string        `yaml:"name" help:"name of the view; with several views it becomes part of set identifiers"`
	Zones []string      `yaml:"zones" help:"the zones this view publishes into; backend chain knows them by itself"`
	TTL   time.Duration `yaml:"ttl" help:"TTL of records that ask for none; default: the backend's"`
	Rules []Rule        `yaml:"rules" help:"first match wins; a claim that matches no rule is kept"`
}

// Rule says what happens to the claims it matches.
type Rule struct {
	Name   string        `yaml:"name" help:"shown in logs and reasons; optional"`
	Match  Match         `yaml:"match" help:"which claims the rule is for; empty: all"`
	Action Action        `yaml:"action" help:"rewrite, keep or drop"`
	Target string        `yaml:"target" help:"name of the target to rewrite to"`
	TTL    time.Duration `yaml:"ttl" help:"TTL of the records, instead of the object's own"`
}

// Action is what becomes of a claim, and of a host.
type Action string

const (
	// Rewrite publishes a target's values instead of the object's own.
	Rewrite Action = "rewrite"
	// Keep publishes what the object asks for.
	Keep Action = "keep"
	// Drop leaves the claim out of the view.
	Drop Action = "drop"
	// Hold leaves what is published as it is, because the decision needs a fact that is missing. It is
	// an outcome only: no rule asks for it.
	Hold Action = "hold"
)

// Match describes claims. Fields are ANDed, the entries of a list are ORed, an empty field matches
// everything. Texts are compared whole; "*" in them stands for any run of characters, dots included,
// so that "*.example.org" covers every name below example.org, at any depth, and not example.org.
type Match struct {
	Kinds          []string          `yaml:"kinds" help:"kind of the object in lower case: ingress, service, httproute, crd (a DNSEndpoint), …"`
	Namespaces     []string          `yaml:"namespaces" help:"namespace of the object; * for any characters"`
	IngressClasses []string          `yaml:"ingressClasses" help:"class of the Ingress, default class included; * for any characters"`
	GatewayClasses []string          `yaml:"gatewayClasses" help:"class of a Gateway the route is attached to; * for any characters"`
	Hosts          []string          `yaml:"hosts" help:"host names; *.example.org covers every name below example.org"`
	Labels         map[string]string `yaml:"labels" help:"labels the object must have, all of them; * for any value"`
	Annotations    map[string]string `yaml:"annotations" help:"annotations the object must have, all of them; * for any value"`
	TargetCIDRs    []string          `yaml:"targetCIDRs" help:"address ranges; one of the object's own addresses must lie in one of them"`
}

// Target is where rewritten names point: either Static or WANIP.
type Target struct {
	Static []string `yaml:"static" help:"IPv4 and IPv6 addresses, or one host name"`
	WANIP  *WANIP   `yaml:"wanIP" help:"the site's public addresses, as ipcontroller keeps them in a ConfigMap; while they are not known, names keep what they have"`
}

// WANIP is the public addresses of a site, which change.
type WANIP struct {
	Namespace string   `yaml:"namespace" help:"namespace of the ConfigMap; default: the webhook's own"`
	Name      string   `yaml:"name" default:"spokedns-wan-ip" help:"name of the ConfigMap"`
	Families  []string `yaml:"families" help:"ipv4, ipv6 or both; default: those that are looked after"`
	Detect    *Detect  `yaml:"detect" help:"find the IPv4 address out here while the ConfigMap has none to be believed; {} for the defaults. Only where the webhook itself leaves the site by that address"`
}

// Detect is how a site's address is found out without its ipcontroller.
type Detect struct {
	Sources []string `yaml:"sources" help:"whom to ask, as OPERATOR[/NAME]=URL; default: those of ipcontroller"`
	Need    int      `yaml:"need" default:"3" help:"operators that have to agree"`
}

// The families a WANIP may ask for.
const (
	familyIPv4 = "ipv4"
	familyIPv6 = "ipv6"
)

// Overrides says which annotations on objects are honoured. Each is on unless it is switched off; the
// properties that carry them are removed from the answer either way.
type Overrides struct {
	Target *bool `yaml:"target" help:"honour webhook-target, and hub-dns-operator.io/target-hostname and record-type; on by default"`
	View   *bool `yaml:"view" help:"honour webhook-view; on by default"`
	TTL    *bool `yaml:"ttl" help:"honour webhook-ttl; on by default"`
}

// switches is Overrides with the default applied.
type switches struct{ target, view, ttl bool }

func (o Overrides) switches() switches {
	on := func(b *bool) bool { return b == nil || *b }
	return switches{target: on(o.Target), view: on(o.View), ttl: on(o.TTL)}
}
