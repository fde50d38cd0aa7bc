package dashboard

// centralDNS looks at programs of others: CoreDNS, whose job ends in -metrics, and etcd, whose job ends in -etcd-members.
func centralDNS() Dashboard {
	return Dashboard{Chart: "central-dns", Title: "spokedns / central DNS", Found: "coredns_build_info", Rows: []Row{
		{"Is it right now?", []Panel{
			firing(),
			{Title: "CoreDNS that answer", Form: Stat, Unit: "short", Steps: wanted(), Help: "Replicas Prometheus reaches.",
				Queries: []Query{{`count(coredns_build_info` + of() + `)`, "replicas"}}},
			{Title: "SERVFAIL", Help: "Share of answers. Questions that etcd could not answer in time, and that were not asked lately.", Form: Stat, Unit: "percentunit", Steps: below(0.001, 0.01),
				Queries: []Query{{`sum(rate(coredns_dns_responses_total` + of(`rcode="SERVFAIL"`) + `[5m])) / sum(rate(coredns_dns_responses_total` + of() + `[5m])) or vector(0)`, "share"}}},
			{Title: "Old answers", Help: "A second, because etcd is slow or away.", Form: Stat, Unit: "short", Steps: below(0.01, 1),
				Queries: []Query{{`sum(rate(coredns_cache_served_stale_total` + of() + `[5m])) or vector(0)`, "a second"}}},
			{Title: "Members of etcd with a leader", Form: Stat, Unit: "short", Steps: wanted(), Help: "All of them is well.",
				Queries: []Query{{`sum(etcd_server_has_leader` + etcd() + `)`, "members"}}},
			{Title: "etcd's database", Help: "At its quota etcd refuses to write.", Form: Stat, Unit: "percentunit", Steps: below(0.6, 0.8),
				Queries: []Query{{`max(etcd_mvcc_db_total_size_in_bytes` + etcd() + `) / max(etcd_server_quota_backend_bytes` + etcd() + `)`, "of the quota"}}},
		}},
		{"CoreDNS", []Panel{
			{Title: "Questions", Form: Lines, Unit: "reqps", Help: "By zone.",
				Queries: []Query{{`sum by (zone) (rate(coredns_dns_requests_total` + of() + `[$__rate_interval]))`, "{{zone}}"}}},
			{Title: "Answers", Form: Lines, Unit: "reqps", Help: "NXDOMAIN is an answer: there is no such name.",
				Queries: []Query{{`sum by (rcode) (rate(coredns_dns_responses_total` + of() + `[$__rate_interval]))`, "{{rcode}}"}}},
			{Title: "Time to answer, 99 %", Form: Lines, Unit: "s", Help: "By zone.",
				Queries: []Query{{quantile("coredns_dns_request_duration_seconds", "zone"), "{{zone}}"}}},
			{Title: "Answers from memory", Form: Lines, Unit: "percentunit", Help: "Share of questions that needed no etcd.",
				Queries: []Query{{`sum(rate(coredns_cache_hits_total` + of() + `[$__rate_interval])) / sum(rate(coredns_cache_requests_total` + of() + `[$__rate_interval]))`, "hits"}}},
			{Title: "Trouble", Form: Bars, Unit: "short", Help: "A refused Corefile leaves the one before in use.",
				Queries: []Query{
					{`sum(increase(coredns_reload_failed_total` + of() + `[$__rate_interval]))`, "Corefile refused"},
					{`sum(increase(coredns_panics_total` + of() + `[$__rate_interval]))`, "panics"},
				}},
		}},
		{"etcd", []Panel{
			{Title: "Leader", Form: State, Unit: "short", Steps: wanted(), Words: map[string]string{"0": "none", "1": "there is one"}, Help: "As each member sees it.",
				Queries: []Query{{`min by (instance) (etcd_server_has_leader` + etcd() + `)`, "{{instance}}"}}},
			{Title: "Writing to disk, 99 %", Form: Lines, Unit: "s", Help: "More than 10 ms is slow; it makes leaders change.",
				Queries: []Query{{`histogram_quantile(0.99, sum by (le, instance) (rate(etcd_disk_wal_fsync_duration_seconds_bucket` + etcd() + `[$__rate_interval])))`, "{{instance}}"}}},
			{Title: "Database", Form: Lines, Unit: "bytes", Help: "Of each member.",
				Queries: []Query{{`max by (instance) (etcd_mvcc_db_total_size_in_bytes` + etcd() + `)`, "{{instance}}"}}},
			{Title: "Changes of leader, failed proposals", Form: Bars, Unit: "short", Help: "Both are rare.",
				Queries: []Query{
					{`max(increase(etcd_server_leader_changes_seen_total` + etcd() + `[$__rate_interval]))`, "changes of leader"},
					{`sum(increase(etcd_server_proposals_failed_total` + etcd() + `[$__rate_interval]))`, "failed proposals"},
				}},
		}},
	}}
}

// etcd restricts to the page's choice of namespaces: its job is another one than CoreDNS's.
func etcd() string { return `{namespace=~"$namespace"}` }
