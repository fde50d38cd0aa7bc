package dashboard

func zonecontroller() Dashboard {
	const prefix = "spokedns_zone_"
	return Dashboard{Chart: "zonecontroller", Title: "spokedns / zones", Found: prefix + "leader", Rows: []Row{
		{"Is it right now?", []Panel{
			firing(),
			{Title: "Zones", Help: "DNSZones known.", Form: Stat, Unit: "short",
				Queries: []Query{{`max(` + prefix + `zones` + of() + `)`, "zones"}}},
			{Title: "Not served", Help: "Times a server does not serve a zone that it should.", Form: Stat, Unit: "short", Steps: below(1, 1),
				Queries: []Query{{`max(` + prefix + `servers` + of(`state="Failed"`) + `)`, "zones on servers"}}},
			{Title: "Records not answered", Help: "DNSRecords that no primary, or not each, answers as they are written.", Form: Stat, Unit: "short", Steps: below(1, 50),
				Queries: []Query{{`max(` + prefix + `records` + of(`ready="false"`) + `)`, "records"}}},
			{Title: "RRsets published", Help: "As the ledger has them.", Form: Stat, Unit: "short",
				Queries: []Query{{`max(` + prefix + `ledger_rrsets` + of() + `)`, "RRsets"}}},
			{Title: "Leaders", Help: "1 is well.", Form: Stat, Unit: "short", Steps: []Step{{0, "red"}, {1, "green"}, {2, "red"}},
				Queries: []Query{{`sum(` + prefix + `leader` + of() + `)`, "leaders"}}},
		}},
		{"Zones and records", []Panel{
			{Title: "Zones on servers by state", Help: "Serving is well; Pending and Provisioned are on the way.", Form: Lines, Unit: "short",
				Queries: []Query{{`max by (state) (` + prefix + `servers` + of() + `)`, "{{state}}"}}},
			{Title: "Records", Help: "By whether they are answered as they are written.", Form: Lines, Unit: "short",
				Queries: []Query{{`max by (ready) (` + prefix + `records` + of() + `)`, "ready: {{ready}}"}}},
		}},
		{"What changed", []Panel{
			{Title: "Changes on servers", Help: "refused: the server will not have it. failed: tried again.", Form: Bars, Unit: "short",
				Queries: []Query{{grew(prefix+"dns_changes_total", "operation, result"), "{{operation}} {{result}}"}}},
			{Title: "Lost and given back, given up", Help: "A server that had lost a zone; one that could not be reached for a removal.", Form: Bars, Unit: "short",
				Queries: []Query{
					{`sum(increase(` + prefix + `heals_total` + of() + `[$__rate_interval]))`, "given back"},
					{`sum(increase(` + prefix + `orphaned_total` + of() + `[$__rate_interval]))`, "given up"},
				}},
			{Title: "Answers for serials", Help: "denied: the key. notServed: the zone is lost, and is given back.", Form: Bars, Unit: "short",
				Queries: []Query{{grew(prefix+"polls_total", "answer"), "{{answer}}"}}},
			{Title: "Time to go through a zone, 99 %", Help: "incomplete rounds among them.", Form: Lines, Unit: "s",
				Queries: []Query{{`histogram_quantile(0.99, sum by (le) (rate(` + prefix + `reconcile_duration_seconds_bucket` + of() + `[$__rate_interval])))`, "time"}}},
			{Title: "Rounds", Help: "error: something could not be read or written; the log says what.", Form: Bars, Unit: "short",
				Queries: []Query{{grew(prefix+"reconcile_total", "result"), "{{result}}"}}},
			{Title: "Statuses written", Help: "error: the API server did not take them.", Form: Bars, Unit: "short",
				Queries: []Query{{grew(prefix+"status_writes_total", "object, result"), "{{object}} {{result}}"}}},
			process(),
		}},
	}}
}
