package dashboard

func corednsconfig() Dashboard {
	const prefix = "spokedns_corednsconfig_"
	return Dashboard{Chart: "corednsconfig", Title: "spokedns / forwards in clusters", Found: prefix + "leader", Rows: []Row{
		{"Is it right now?", []Panel{
			firing(),
			{Title: "Clusters that are Ready", Help: "They resolve the landscape's zones.", Form: Stat, Unit: "short",
				Queries: []Query{{`sum(` + prefix + `clusters` + of(`state="Ready"`) + `)`, "clusters"}}},
			{Title: "Clusters that failed", Help: "The DNSForwarding's status says which, and why. What they had stays.", Form: Stat, Unit: "short", Steps: below(1, 5),
				Queries: []Query{{`sum(` + prefix + `clusters` + of(`state=~"Refused|Unsupported|Unreachable|Unresolved|Conflict|RolledBack|Orphaned"`) + `)`, "clusters"}}},
			{Title: "Under way", Help: "Pending, being changed, or being left.", Form: Stat, Unit: "short",
				Queries: []Query{{`sum(` + prefix + `clusters` + of(`state=~"Pending|UnderWay|Leaving"`) + `)`, "clusters"}}},
			{Title: "Longest without an answer", Help: "Of the cluster that was seen to resolve the longest time ago.", Form: Stat, Unit: "s", Steps: below(1800, 3600),
				Queries: []Query{{`time() - min(` + prefix + `last_success` + of() + `)`, "ago"}}},
			{Title: "Leaders", Help: "1 is well.", Form: Stat, Unit: "short", Steps: []Step{{0, "red"}, {1, "green"}, {2, "red"}},
				Queries: []Query{{`sum(` + prefix + `leader` + of() + `)`, "leaders"}}},
		}},
		{"The roll-out", []Panel{
			{Title: "Clusters by state", Form: Lines, Unit: "short", Width: 24, Help: "Of all DNSForwardings together.",
				Queries: []Query{{`sum by (state) (` + prefix + `clusters` + of() + `)`, "{{state}}"}}},
			{Title: "Changes", Help: "By the cluster's state afterwards.", Form: Bars, Unit: "short",
				Queries: []Query{{grew(prefix+"apply_total", "result"), "{{result}}"}}},
			{Title: "Rolled back, and put right", Help: "A roll-back halts the wave. Drift: somebody changed what was written.", Form: Bars, Unit: "short",
				Queries: []Query{
					{`sum(increase(` + prefix + `rollback_total` + of() + `[$__rate_interval]))`, "rolled back"},
					{`sum(increase(` + prefix + `drift_total` + of() + `[$__rate_interval]))`, "drift put right"},
				}},
			{Title: "Events", Form: Bars, Unit: "short", Help: "What happened in clusters.",
				Queries: []Query{{grew(prefix+"events_total", "reason"), "{{reason}}"}}},
			{Title: "Time of a job, 99 %", Help: "A change takes as long as CoreDNS takes to load it everywhere.", Form: Lines, Unit: "s",
				Queries: []Query{{quantile(prefix+"job_duration_seconds", "kind"), "{{kind}}"}}},
		}},
		{"Each cluster", []Panel{
			{Title: "Since it was last seen to resolve", Help: "The twenty longest.", Form: Lines, Unit: "s",
				Queries: []Query{{`topk(20, time() - max by (cluster) (` + prefix + `last_success` + of() + `))`, "{{cluster}}"}}},
			{Title: "Time of an answer", Help: "The twenty slowest.", Form: Lines, Unit: "s",
				Queries: []Query{{`topk(20, max by (cluster) (` + prefix + `probe_seconds` + of() + `))`, "{{cluster}}"}}},
			process(),
		}},
	}}
}
