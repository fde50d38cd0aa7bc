package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/spokedns/spokedns/webhook/config"
	"github.com/spokedns/spokedns/webhook/setting"
)

// good is a view that is right; a case adds what is wrong after it or puts something else in its place.
const good = "views: [{name: public, zones: [example.org], backend: {memory: {}}}]\n"

// inRule is a file whose first rule is the given one.
func inRule(rule string) string {
	return "views:\n- name: public\n  zones: [example.org]\n  backend: {memory: {}}\n  rules:\n  - " + rule + "\ntargets: {hub: {static: [203.0.113.10]}}\n"
}

// inBackend is a file whose backend is the given one.
func inBackend(backend string) string {
	return "views:\n- name: public\n  zones: [example.org]\n  backend: " + backend + "\n"
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		name, src string
		want      []string // each mistake, in order: place, field, value, remedy
	}{
		{"nothing", "", []string{"config.yaml: views: want at least one view"}},
		{"only a comment", "# later\n", []string{"config.yaml: views: want at least one view"}},
		{"a list", "- a\n", []string{"config.yaml: want a mapping that begins with the key views"}},
		{"unknown setting at the top", good + "dryrun: true\n", []string{"config.yaml:2:1: dryrun: unknown setting; did you mean dryRun?"}},
		{"unknown setting, nothing like it", good + "colour: red\n", []string{"config.yaml:2:1: colour: unknown setting; known are views, targets, overrides, dryRun, rails, failover, externalDNS, server, kubernetes, log"}},
		{"unknown setting below", good + "server: {tls: {cert: a}}\n", []string{"config.yaml:2:16: server.tls.cert: unknown setting"}},
		{"unknown setting in a rule", inRule("{action: keep, matches: {}}"), []string{"views[0].rules[0].matches: unknown setting; did you mean match?"}},
		{"unknown setting in a match", inRule("{action: keep, match: {ingressClass: [a]}}"), []string{"views[0].rules[0].match.ingressClass: unknown setting; did you mean ingressClasses?"}},
		{"text where a list belongs", "views: [{name: a, zones: example.org, backend: {memory: {}}}]\n", []string{`config.yaml:1:26: views[0].zones: "example.org": want a list, like [a, b]`}},
		{"a list where text belongs", good + "log: {level: [info]}\n", []string{"config.yaml:2:14: log.level: want a single value, not a list or mapping"}},
		{"a mapping where a list belongs", "views: {name: a}\n", []string{"views: want a list, like [a, b]"}},
		{"text where a mapping belongs", good + "rails: half\n", []string{`config.yaml:2:8: rails: "half": want a mapping, like {key: value}`}},
		{"an empty entry", "views:\n- name: a\n  zones: [example.org, ]\n  backend: {memory: {}}\n- \n", []string{"config.yaml:5:3: views[1]: is empty: give it a value or remove it"}},
		{"a word for yes", good + "dryRun: yes\n", []string{`config.yaml:2:9: dryRun: "yes": want true or false`}},
		{"a number without unit", good[:len(good)-3] + ", ttl: 300}]\n", []string{`views[0].ttl: "300": want a duration with its unit, like 30s or 5m`}},
		{"no number", good + "rails: {maxDeleteMin: many}\n", []string{`rails.maxDeleteMin: "many": want a whole number`}},
		{"half a number", good + "rails: {maxDeleteMin: 2.5}\n", []string{`rails.maxDeleteMin: "2.5": want a whole number`}},
		{"no kind", good + "kubernetes: {kinds: [ingress, Service]}\n", []string{`kubernetes.kinds[1]: "Service": want all, or of ingress, service, httproute`}},
		{"not a share", good + "rails: {maxDeleteShare: 50}\n", []string{`rails.maxDeleteShare: "50": want a share above 0 and up to 1, like 0.5 for half of the names`}},
		{"not even a number", good + "rails: {maxDeleteShare: .nan}\n", []string{`rails.maxDeleteShare: ".nan": want a number, like 0.5`}},
		{"no views", "views: []\n", []string{"config.yaml:1:1: views: want at least one view"}},
		{"no zones", "views: [{name: a, backend: {memory: {}}}]\n", []string{"views[0].zones: want the zones this view publishes into, for example [example.org]"}},
		{"a bad zone", "views: [{name: a, zones: [\"exa mple\"], backend: {memory: {}}}]\n", []string{`config.yaml:1:27: views[0].zones[0]: "exa mple": want the name of a zone, for example example.org`}},
		{"a zone twice", "views: [{name: a, zones: [example.org, Example.org.], backend: {memory: {}}}]\n", []string{`views[0].zones[1]: "Example.org.": zones[0] is the same zone; remove one`}},
		{"a view twice", "views:\n- {name: a, zones: [a.org], backend: {memory: {}}}\n- {name: a, zones: [b.org], backend: {memory: {}}}\n", []string{`config.yaml:3:10: views[1].name: "a": views[0] has this name already; want one of its own`}},
		{"a bad name of a view", "views: [{name: Öffentlich, zones: [a.org], backend: {memory: {}}}]\n", []string{`views[0].name: "Öffentlich": want a name of lower-case letters`}},
		{
			"one zone of two views on one backend", "views:\n- {name: a, zones: [example.org], backend: {shelf: {servers: [s]}}}\n- {name: b, zones: [x.org, sub.example.org], backend: {shelf: {servers: [s]}}}\n",
			[]string{`config.yaml:3:28: views[1].zones[1]: "sub.example.org": overlaps example.org (views[0].zones[0]) on the same backend; want another backend for one of the views, or one view for both`},
		},
		{"no backend", "views: [{name: a, zones: [a.org]}]\n", []string{"views[0].backend: is missing; want one key, the kind of backend, above its settings"}},
		{"no kind of backend", inBackend("{}"), []string{"config.yaml:4:12: views[0].backend: want exactly one kind of backend: memory, shelf"}},
		{"two kinds of backend", inBackend("{memory: {}, shelf: {}}"), []string{"views[0].backend: want exactly one kind of backend: memory, shelf"}},
		{"the kind as text", inBackend("memory"), []string{`views[0].backend: "memory": want a mapping`}},
		{"an unknown kind", inBackend("{route53: {}}"), []string{"config.yaml:4:13: views[0].backend.route53: this build has no such backend; it has memory, shelf"}},
		{"unknown setting of a backend", inBackend("{shelf: {server: [s]}}"), []string{"config.yaml:4:21: views[0].backend.shelf.server: unknown setting; did you mean servers?"}},
		{"invalid settings of a backend", inBackend("{shelf: {retries: 1}}"), []string{"config.yaml:4:13: views[0].backend.shelf.servers: want at least one server"}},
		{"no action", inRule("{match: {kinds: [ingress]}}"), []string{"views[0].rules[0].action: want rewrite, keep or drop"}},
		{"an unknown action", inRule("{action: replace}"), []string{`config.yaml:6:14: views[0].rules[0].action: "replace": want rewrite, keep or drop`}},
		{"an unknown target", inRule("{action: rewrite, target: hubs}"), []string{`views[0].rules[0].target: "hubs": is not configured; want one of hub`}},
		{"a bad glob", inRule(`{action: keep, match: {hosts: ["a..b"]}}`), []string{`views[0].rules[0].match.hosts[0]: "a..b": `}},
		{"a bad CIDR", inRule("{action: keep, match: {targetCIDRs: [10.0.0.0/8, 10.0.0.0/33]}}"), []string{`views[0].rules[0].match.targetCIDRs[1]: "10.0.0.0/33": want an address range like 10.0.0.0/8 or fd00::/8`}},
		{"a rule behind the last", inRule("{action: keep}\n  - {action: drop}"), []string{"config.yaml:7:5: views[0].rules[1]: is never reached, because rules[0] matches everything"}},
		{"an empty target", good + "targets: {hub: {static: []}}\n", []string{"targets.hub.static: want IPv4 and IPv6 addresses, or one host name"}},
		{"a bad address", good + "targets: {hub: {static: [203.0.113.10, 203.0.113.300]}}\n", []string{`config.yaml:2:40: targets.hub.static[1]: "203.0.113.300": `}},
		{"a bad address to listen on", good + "server: {listen: 8888}\n", []string{`config.yaml:2:18: server.listen: "8888": want host:port, like 127.0.0.1:8888, or :port for every address`}},
		{"a bad port", good + "server: {metricsListen: \":http-alt\"}\n", []string{`server.metricsListen: ":http-alt": want host:port`}},
		{"one address for both", good + "server: {metricsListen: \"127.0.0.1:8888\"}\n", []string{`server.metricsListen: "127.0.0.1:8888": is also the address of the webhook protocol; want another one`}},
		{"half of TLS", good + "server: {tls: {certFile: a}}\n", []string{"config.yaml:2:10: server.tls: certFile and keyFile come together; give both or none"}},
		{"half of basic auth", good + "server: {basicAuth: {username: a}}\n", []string{"server.basicAuth: username and passwordFile come together; give both or none"}},
		{"an unknown level", good + "log: {level: loud}\n", []string{`log.level: "loud": want debug, info, warn or error`}},
		{"an unknown format", good + "log: {format: xml}\n", []string{`log.format: "xml": want text or json`}},
		{"a setting twice", good + good, []string{`mapping key "views" already defined`}},
		{"no YAML", "views: [\n", []string{"config.yaml: not valid YAML:"}},
		{"a tab", "views:\n\t- name: a\n", []string{"config.yaml: not valid YAML:"}},
		{"two documents", good + "---\n" + good, []string{"config.yaml: line 3: a second document begins; want one"}},
		{"an alias to nothing", "views: *none\n", []string{"views"}},
		{"an alias in a circle", "views: &a\n- *a\n", []string{"views"}},
		{"a merge in a circle", "views:\n- &a\n  name: x\n  <<: *a\n", []string{"views[0]: merges too much, or itself; write the keys out"}},
		{"a merge in many circles", "views:\n- &a\n  name: x\n  <<: [*a, *a, *a]\n", []string{"views[0]: merges too much, or itself; write the keys out"}},
		{
			"several at once", "views:\n- name: a\n  zones: [a b]\n  backend: {shelf: {servers: [s], timeout: soon}}\n  rules:\n  - {action: replace}\nrails: {maxDeleteShare: 2}\ncolour: red\n",
			[]string{"views[0].zones[0]", "views[0].backend.shelf.timeout", "views[0].rules[0].action", "rails.maxDeleteShare", "colour"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := decode(c.src)
			if err == nil {
				t.Fatal("accepted")
			}
			rest := err.Error()
			for _, w := range c.want {
				_, after, ok := strings.Cut(rest, w)
				if !ok {
					t.Fatalf("not reported, or not in order: %s\nreported:\n%v", w, err)
				}
				rest = after
			}
			var all config.Mistakes
			if errors.As(err, &all) && len(all) != len(c.want) {
				t.Errorf("%d mistakes reported, want %d:\n%v", len(all), len(c.want), err)
			}
		})
	}
}

func TestMistakesUnwrapToSettings(t *testing.T) {
	_, err := decode(good + "rails: {maxDeleteShare: 2}\n")
	var e *setting.Error
	if !errors.As(err, &e) || e.Field != "rails.maxDeleteShare" || e.Value != "2" {
		t.Errorf("got %#v from %v", e, err)
	}
}

func TestExplainShowsTheLines(t *testing.T) {
	_, err := decode("# comment\nlog:\n  level: loud\n" + good)
	want := `config.yaml:3:10: log.level: "loud": want debug, info, warn or error
     1 | # comment
     2 | log:
>    3 |   level: loud
       |          ^
     4 | views: [{name: public, zones: [example.org], backend: {memory: {}}}]`
	if got := config.Explain(err); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestOnlyTheSecretIsLeftOut(t *testing.T) {
	_, err := decode(inBackend("\n    shelf:\n      password: hush\n      colour: red\n      key:\n      servers: [s]\n"))
	want := `config.yaml:7:7: views[0].backend.shelf.colour: unknown setting; known are servers, timeout, retries, password, tls
     5 |     shelf:
     6 |       password: (redacted)
>    7 |       colour: red
       |       ^
     8 |       key:

config.yaml:8:7: views[0].backend.shelf.key: unknown setting; known are servers, timeout, retries, password, tls
     6 |       password: (redacted)
     7 |       colour: red
>    8 |       key:
       |       ^
     9 |       servers: [s]

2 mistakes`
	if got := config.Explain(err); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	const secret = "dGhpcy1pcy1zZWNyZXQ="
	for name, src := range map[string]string{
		"beside a mistake":       inBackend("\n    shelf:\n      servers: []\n      password: " + secret + "\n      colour: red\n"),
		"on the mistake's line":  inBackend(`{shelf: {password: "` + secret + `", timeout: soon}}`),
		"in a block":             inBackend("\n    shelf:\n      password: |\n        " + secret + "\n      colour: red\n"),
		"below":                  inBackend("\n    shelf:\n      tls:\n        secretKey: x\n        secret_key: " + secret + "\n"),
		"in what is no YAML":     "views:\n- password: " + secret + "\n  zones: [\n",
		"an unknown secret":      good + "log: {level: 1, clientSecret: " + secret + "}\n",
		"a secret of wrong kind": inBackend("\n    shelf: {password: [" + secret + "]}\n"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decode(src)
			if err == nil {
				t.Fatal("accepted")
			}
			if shown := config.Explain(err); strings.Contains(shown, secret) {
				t.Errorf("the secret is shown:\n%s", shown)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the secret is logged:\n%v", err)
			}
		})
	}
}
