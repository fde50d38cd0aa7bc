package dashboard

func ipcontroller() Dashboard {
	return Dashboard{Chart: "ipcontroller", Title: "spokedns / site address", Found: "spokedns_wan_ip_leader", Rows: []Row{
		{"Is it right now?", []Panel{
			firing(),
			{Title: "The site's address", Help: "What is believed and published.", Form: Stat, Unit: "short", Width: 8, Name: true,
				Queries: []Query{{`max by (family, address) (spokedns_wan_ip_info` + of() + `)`, "{{address}}"}}},
			{Title: "May be published", Help: "Otherwise names keep what they have.", Form: Stat, Unit: "short", Steps: wanted(), Words: map[string]string{"0": "no", "1": "yes"},
				Queries: []Query{{`min by (family) (spokedns_wan_ip_known` + of() + `)`, "{{family}}"}}},
			{Title: "Confirmed", Help: "Time since enough sources last agreed.", Form: Stat, Unit: "s", Steps: below(300, 900),
				Queries: []Query{{`time() - max by (family) (spokedns_wan_ip_confirmed_timestamp_seconds` + of() + `)`, "{{family}} ago"}}},
			{Title: "Leaders", Help: "1 is well; for a moment, when the leader changes, there is none.", Form: Stat, Unit: "short", Steps: []Step{{0, "red"}, {1, "green"}, {2, "red"}},
				Queries: []Query{{`sum(spokedns_wan_ip_leader` + of() + `)`, "leaders"}}},
		}},
		{"What the sources say", []Panel{
			{Title: "Sources that agree", Help: "Votes: a source is well while it answers as the others do.", Form: State, Unit: "short", Steps: wanted(), Words: map[string]string{"0": "another answer, or none", "1": "agrees"},
				Queries: []Query{{`max by (family, source) (spokedns_wan_ip_source_healthy` + of() + `)`, "{{family}} {{source}}"}}},
			{Title: "State of the address", Help: "Verified: confirmed now. Holding: too few agree, the last one stays. Ambiguous: two addresses have votes. Static: given.", Form: State, Unit: "short",
				Steps: []Step{{0, "transparent"}, {1, "blue"}}, Words: map[string]string{"0": "", "1": "so"},
				Queries: []Query{{`max by (family, status) (spokedns_wan_ip_status` + of() + `)`, "{{family}} {{status}}"}}},
			{Title: "Lookups without an address", Help: "By source and kind of failure.", Form: Bars, Unit: "short",
				Queries: []Query{{grew("spokedns_wan_ip_discovery_failures_total", "family, source, kind"), "{{family}} {{source}}: {{kind}}"}}},
			{Title: "Time of a lookup, 99 %", Form: Lines, Unit: "s", Help: "Slow sources hold nobody up: a round ends when enough agree.",
				Queries: []Query{{quantile("spokedns_wan_ip_lookup_duration_seconds", "source"), "{{source}}"}}},
		}},
		{"What changed", []Panel{
			{Title: "Changes of the address", Form: Bars, Unit: "short", Help: "As this controller wrote them.",
				Queries: []Query{{grew("spokedns_wan_ip_changes_total", "family"), "{{family}}"}}},
			{Title: "Rounds", Help: "By what they came to.", Form: Bars, Unit: "short",
				Queries: []Query{{grew("spokedns_wan_ip_rounds_total", "family, status"), "{{family}} {{status}}"}}},
			{Title: "Writes of the ConfigMap", Help: "error: it could not be written; the log says why.", Form: Bars, Unit: "short",
				Queries: []Query{{grew("spokedns_wan_ip_writes_total", "result"), "{{result}}"}}},
			{Title: "Behind carrier-grade NAT", Help: "The router's address is not the one the Internet sees: nobody outside reaches the site by it.", Form: State, Unit: "short",
				Steps: below(1, 1), Words: map[string]string{"0": "no", "1": "yes"},
				Queries: []Query{{`max(spokedns_wan_ip_behind_cgnat` + of() + `)`, "behind NAT"}}},
			process(),
		}},
	}}
}
