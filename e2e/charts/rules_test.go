package charts_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/spokedns/spokedns/e2e/stack"
)

// firing is an alert with a series under which it fires, and one under which it does not, with a value a minute as promtool
// writes them. Labels common to the chart's series stand in place of a %s. Without the second only the first is tried.
type firing struct{ alert, series, fires, rests string }

func TestAlertsFireWhenTheyShould(t *testing.T) {
	for chart, c := range map[string]struct {
		labels string
		table  []firing
	}{
		"webhook": {`namespace="dns"`, []firing{
			{"SpokednsNotSynced", `spokedns_last_success_timestamp_seconds{operation="list", %s}`, "0x120", "0+60x120"},
			{"SpokednsNotSynced", `spokedns_build_info{%s}`, "1x120", ""}, // nothing was ever read
			{"SpokednsSoftErrors", `external_dns_controller_consecutive_soft_errors{%s}`, "3x120", "0x120"},
			{"SpokednsErrors", `spokedns_errors_total{view="v", zone="z", operation="list", kind="denied", %s}`, "0+1x120", "7x120"},
			{"SpokednsDeletionsRefused", `spokedns_deletions_refused_total{view="v", zone="z", %s}`, "0+1x120", "7x120"},
			{"SpokednsThrottled", `spokedns_api_requests_total{view="v", backend="b", result="throttled", %s}`, "0+60x120", "0+1x120"},
			{"SpokednsDenied", `spokedns_api_requests_total{view="v", backend="b", result="denied", %s}`, "0+1x120", "7x120"},
			{"SpokednsChangesRepeat", `spokedns_repeated_changes_total{view="v", zone="z", %s}`, "0+1x120", "7x120"},
			{"SpokednsNamesWait", `spokedns_decisions{view="v", action="hold", %s}`, "3x120", "0x120"},
			{"SpokednsEndpointsRefused", `spokedns_endpoints_refused{view="v", reason="invalid", %s}`, "3x120", "0x120"},
			{"SpokednsZonesWait", `spokedns_zones{view="v", state="waiting", %s}`, "1x120", "0x120"},
			{"SpokednsSiteAddressUnknown", `spokedns_wan_ip_known{target="site", family="ipv4", %s}`, "0x120", "1x120"},
			{"SpokednsSiteAddressFallback", `spokedns_wan_ip_fallback{target="site", family="ipv4", %s}`, "1x120", "0x120"},
			{"SpokednsFailoverIncomplete", `spokedns_failover_records_left{%s}`, "3x120", "0x120"},
			{"SpokednsFailoverFails", `spokedns_failovers_total{result="error", %s}`, "0+1x120", "7x120"},
			{"SpokednsCertificateExpires", `spokedns_certificate_expiry_timestamp_seconds{view="v", backend="b", certificate="client", %s}`, "1e6x120", "2e6x120"},
			{"SpokednsConfigurationRefused", `spokedns_config_last_reload_success{%s}`, "0x120", "1x120"},
		}},
		"ipcontroller": {`namespace="dns", job="site"`, []firing{
			{"SpokednsWANAddressUnknown", `spokedns_wan_ip_known{family="ipv4", %s}`, "0x120", "1x120"},
			{"SpokednsWANLeaderAbsent", `spokedns_wan_ip_leader{%s}`, "0x120", "1x120"},
			{"SpokednsWANLeaderAbsent", `spokedns_wan_ip_known{family="ipv4", %s}`, "1x120", ""}, // no replica runs
			{"SpokednsWANAmbiguous", `spokedns_wan_ip_status{family="ipv4", status="Ambiguous", %s}`, "1x120", "0x120"},
			{"SpokednsWANSourceDisagrees", `spokedns_wan_ip_source_healthy{family="ipv4", source="a", %s}`, "0x120", "1x120"},
			{"SpokednsWANAddressFlaps", `spokedns_wan_ip_changes_total{family="ipv4", %s}`, "0+1x120", "7x120"},
			{"SpokednsWANNotWritten", `spokedns_wan_ip_writes_total{result="error", %s}`, "0+1x120", "7x120"},
			{"SpokednsWANBehindCGNAT", `spokedns_wan_ip_behind_cgnat{%s}`, "1x120", "0x120"},
		}},
		"corednsconfig": {`namespace="dns", job="forwarding"`, []firing{
			{"SpokednsForwardingLeaderAbsent", `spokedns_corednsconfig_leader{%s}`, "0x120", "1x120"},
			{"SpokednsForwardingLeaderAbsent", `spokedns_build_info{%s}`, "1x120", ""}, // no replica says a word
			{"SpokednsForwardingRolledBack", `spokedns_corednsconfig_rollback_total{%s}`, "0+1x120", "7x120"},
			{"SpokednsForwardingUndone", `spokedns_corednsconfig_drift_total{%s}`, "0+1x120", "7x120"},
			{"SpokednsForwardingNotResolving", `spokedns_corednsconfig_last_success{cluster="c", %s}`, "0x120", "0+60x120"},
			{"SpokednsForwardingCertificateExpires", `spokedns_corednsconfig_certificate_expiry_timestamp_seconds{cluster="c", %s}`, "1e6x120", "2e6x120"},
			{"SpokednsForwardingExternalDNSFails", `spokedns_corednsconfig_external_dns_clusters{reason="HelmFailed", %s}`, "1x120", "0x120"},
			{"SpokednsForwardingExternalDNSFails", `spokedns_corednsconfig_external_dns_clusters{reason="Installing", %s}`, "", "1x120"},
			{"SpokednsForwardingHeldUp", `spokedns_corednsconfig_clusters{state="Unresolved", %s}`, "1x120", "0x120"},
		}},
		"zonecontroller": {`namespace="dns", job="zones"`, []firing{
			{"SpokednsZoneLeaderAbsent", `spokedns_zone_leader{%s}`, "0x120", "1x120"},
			{"SpokednsZoneLeaderAbsent", `spokedns_build_info{%s}`, "1x120", ""}, // no replica says a word
			{"SpokednsZoneNotServed", `spokedns_zone_servers{state="Failed", %s}`, "1x120", "0x120"},
			{"SpokednsZoneSlow", `spokedns_zone_servers{state="Provisioned", %s}`, "1x120", "0x120"},
			{"SpokednsZoneRecordsNotReady", `spokedns_zone_records{ready="false", %s}`, "1x120", "0x120"},
			{"SpokednsZoneChangesFail", `spokedns_zone_dns_changes_total{operation="create", result="refused", %s}`, "0+1x120", "7x120"},
			{"SpokednsZoneServerAway", `spokedns_zone_polls_total{answer="unreachable", %s}`, "0+1x120", "7x120"},
			{"SpokednsZoneLost", `spokedns_zone_heals_total{%s}`, "0+1x120", "7x120"},
			{"SpokednsZoneOrphaned", `spokedns_zone_orphaned_total{%s}`, "0+1x120", "7x120"},
		}},
		"central-dns": {`namespace="dns"`, []firing{
			{"SpokednsCentralDNSDown", `up{job="center-metrics", %s}`, "0x120", "1x120"},
			{"SpokednsCentralDNSFails", `coredns_dns_responses_total{zone="z", rcode="SERVFAIL", job="center-metrics", %s}`, "0+60x120", "7x120"},
			{"SpokednsCentralDNSStale", `coredns_cache_served_stale_total{job="center-metrics", %s}`, "0+1x120", "7x120"},
			{"SpokednsCentralDNSConfigurationRefused", `coredns_reload_failed_total{job="center-metrics", %s}`, "0+1x120", "7x120"},
			{"SpokednsCentralEtcdWithoutLeader", `etcd_server_has_leader{job="center-etcd-members", %s}`, "0x120", "1x120"},
			{"SpokednsCentralEtcdMemberDown", `up{job="center-etcd-members", %s}`, "0x120", "1x120"},
			{"SpokednsCentralEtcdFull", `etcd_mvcc_db_total_size_in_bytes{job="center-etcd-members", %s}`, "2e9x120", "1e9x120"},
			{"SpokednsCentralCertificateExpires", `certmanager_certificate_expiration_timestamp_seconds{name="center-etcd", %s}`, "1e6x120", "2e6x120"},
		}},
	} {
		t.Run(chart, func(t *testing.T) {
			known, tried := []string{}, []string{}
			defined := alerts(t, chart)
			for _, a := range defined {
				known = append(known, a.Alert)
			}
			for i, f := range c.table {
				c.table[i].series = fmt.Sprintf(f.series, c.labels)
				tried = append(tried, f.alert)
			}
			slices.Sort(known)
			slices.Sort(tried)
			if diff := cmp.Diff(known, slices.Compact(tried)); diff != "" {
				t.Errorf("alerts -, tried +:\n%s", diff)
			}
			promtool(t, defined, c.table)
		})
	}
}

// promtool lets Prometheus judge the rules and try each row.
func promtool(t *testing.T, rules []alert, table []firing) {
	t.Helper()
	program, err := stack.Tool("promtool")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var cases []any
	for _, f := range table {
		for values, count := range map[string]int{f.fires: 1, f.rests: 0} {
			if values == "" {
				continue
			}
			samples := []any{}
			if count > 0 {
				samples = append(samples, map[string]any{"labels": "{}", "value": count})
			}
			cases = append(cases, map[string]any{
				"interval":     "1m",
				"input_series": []any{map[string]any{"series": f.series, "values": values}},
				"promql_expr_test": []any{map[string]any{
					"expr": fmt.Sprintf(`count(ALERTS{alertname=%q, alertstate="firing"})`, f.alert), "eval_time": "2h", "exp_samples": samples,
				}},
			})
		}
	}
	write := func(name string, content any) string {
		text, err := yaml.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file := write("rules.yaml", map[string]any{"groups": []any{map[string]any{"name": "chart", "rules": rules}}})
	tests := write("tests.yaml", map[string]any{"rule_files": []string{file}, "evaluation_interval": "1m", "tests": cases})
	for _, args := range [][]string{{"check", "rules", "--lint-fatal", file}, {"test", "rules", tests}} {
		if out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args[:2], " "), err, out)
		}
	}
}
