package corefile_test

import (
	"strings"
	"testing"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
)

// One line of a block each, and a part of what is said about it; nothing: it is right. CoreDNS is 1.12.1.
func TestCheckOfLines(t *testing.T) {
	v := version(t, "1.12.1")
	for line, want := range map[string]string{
		"bind lo eth0 10.0.0.1 ::1":           "",
		"bind 10.0.0":                         "neither an IP address",
		"bind 10.0.0.1 {\nexcept 10.0.0.2\n}": "",
		"bind fe80::zz":                       "neither an IP address",
		"cache":                               "",
		"cache example.org":                   "",
		"cache 3600 example.org {\nprefetch 10 1m 20%\ndisable success cluster.local\nkeepttl\n}": "",
		"cache {\nsuccess 9984 30 5\n}":                                       "",
		"cache {\nsuccess many\n}":                                            `"many" is not a number`,
		"cache {\ndenial 9984 30 -1\n}":                                       "least TTL -1",
		"cache {\nserve_stale\n}":                                             "",
		"cache {\nserve_stale 1h Immediate\n}":                                "",
		"cache {\nserve_stale -1h\n}":                                         "negative",
		"cache {\nserve_stale 1h verify 200ms\n}":                             "timeout \"200ms\" needs CoreDNS 1.14.4",
		"cache {\nservfail -1s\n}":                                            "negative",
		"cache {\nservfail\n}":                                                "takes one duration",
		"cache {\nserve_stale_policy x\n}":                                    "needs CoreDNS 1.14.4",
		"errors stdout":                                                       "",
		"errors {\nconsolidate 5m \".* i/o timeout$\" warning\nstacktrace\n}": "",
		"forward . 9.9.9.9:53 [2001:db8::1]:53 2001:db8::2 tls://9.9.9.9 /etc/resolv.conf dns://9.9.9.9": "",
		"forward . tls://9.9.9.9%dns.quad9.net":                                                          "",
		"forward . https://dns.example":                                                                  "https:// needs CoreDNS 1.14.5",
		"forward . 10.0.0.256":                                                                           "is not an IP address",
		"forward . {$UPSTREAM}":                                                                          "",
		"forward . __PILLAR__UPSTREAM__SERVERS__":                                                        "",
		"forward . 9.9.9.9 {\nmax_concurrent -5\n}":                                                      "not a number from 0 up",
		"forward . 9.9.9.9 {\nmax_fails\n}":                                                              "needs a number",
		"forward . 9.9.9.9 {\nexpire 10\n}":                                                              "not a duration",
		"forward . 9.9.9.9 {\nforce_tcp yes\n}":                                                          "takes no argument",
		"forward . 9.9.9.9 {\nexcept\n}":                                                                 "needs a zone",
		"forward . 9.9.9.9 {\nhealth_check 5s no_rec domain example.org\npolicy round_robin\nprefer_udp\n}": "",
		"health":                         "",
		"health :8080 {\nlameduck 5s\n}": "",
		"health {\nlameduck\n}":          "takes one duration",
		"health a:1 b:2":                 "is too much",
		"kubernetes cluster.local {\npods verified\nttl 0\nnoendpoints\n}": "",
		"kubernetes cluster.local {\nttl\n}":                               "needs a number of seconds",
		"kubernetes cluster.local {\npods\n}":                              "want disabled, insecure or verified",
		"loadbalance":                                                      "",
		"loadbalance weighted /etc/coredns/w {\nreload 30s\n}":             "",
		"log . \"{remote} - {>id}\" {\nclass error\n}":                     "",
		"proxy . 9.9.9.9":                                                  "was taken out in CoreDNS 1.5.0, this one is 1.12.1",
		"ready :8181":                                                      "",
		"reload 30s 0s":                                                    "",
		"reload 1m 20s 5s":                                                 "is too much",
		"import common":                                                    "there is no such file",
	} {
		src := ".:53 {\n" + line + "\n}\n"
		err := corefile.Check([]byte(src), corefile.Process{Imports: map[string][]byte{}}, corefile.Rules{Site: corefile.Site{Version: v}})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", line, err, want)
		}
	}
}
