package dashboard

func webhook() Dashboard {
	return Dashboard{Chart: "webhook", Title: "spokedns / webhook", Found: "spokedns_last_success_timestamp_seconds", Rows: []Row{
		{"Is it right now?", []Panel{
			firing(),
			{Title: "Zones last read", Help: "Time since every zone was read completely. It is about as long as external-dns's interval.", Form: Stat, Unit: "s", Steps: below(120, 300),
				Queries: []Query{{`time() - max(spokedns_last_success_timestamp_seconds` + of(`operation="list"`) + `)`, "ago"}}},
			{Title: "Last loop without an error", Help: "As external-dns sees it. Until one succeeds names stay as they are.", Form: Stat, Unit: "s", Steps: below(120, 300),
				Queries: []Query{{`time() - max(external_dns_controller_last_sync_timestamp_seconds` + of() + `)`, "ago"}}},
			{Title: "Loops in error, in a row", Help: "0 is well.", Form: Stat, Unit: "short", Steps: below(1, 5),
				Queries: []Query{{`max(external_dns_controller_consecutive_soft_errors` + of() + `)`, "loops"}}},
			{Title: "Names that wait", Help: "Held for want of a fact: what they publish stays. The webhook's log says which fact.", Form: Stat, Unit: "short", Steps: below(1, 50),
				Queries: []Query{{`sum(spokedns_decisions` + of(`action="hold"`) + `)`, "names"}}},
			{Title: "Configuration", Help: "Whether the file as it is now is in use.", Form: Stat, Unit: "short", Steps: wanted(), Words: map[string]string{"0": "refused", "1": "in use"},
				Queries: []Query{{`min(spokedns_config_last_reload_success` + of() + `)`, "configuration"}}},
		}},
		{"What is published, and what changed", []Panel{
			{Title: "RRsets in the zones", Help: "All of a zone's, also those of others.", Form: Lines, Unit: "short",
				Queries: []Query{{`max by (view, zone) (spokedns_records` + of() + `)`, "{{view}} {{zone}}"}}},
			{Title: "Host names by decision", Help: "At the last loop.", Form: Lines, Unit: "short",
				Queries: []Query{{`sum by (view, action) (spokedns_decisions` + of() + `)`, "{{view}} {{action}}"}}},
			{Title: "Changes", Help: "success was written; error and late are tried again; refused will not heal by itself.", Form: Bars, Unit: "short", Width: 24,
				Queries: []Query{{grew("spokedns_changes_total", "view, op, result"), "{{view}} {{op}} {{result}}"}}},
		}},
		{"What went wrong", []Panel{
			{Title: "Errors", Help: "By what was tried where. denied: credentials. conflict: somebody else changed the record.", Form: Bars, Unit: "short",
				Queries: []Query{{grew("spokedns_errors_total", "view, zone, operation, kind"), "{{view}} {{zone}} {{operation}}: {{kind}}"}}},
			{Title: "Refused endpoints", Help: "What objects ask for and a view cannot publish, now.", Form: Lines, Unit: "short",
				Queries: []Query{{`sum by (view, reason) (spokedns_endpoints_refused` + of() + `)`, "{{view}} {{reason}}"}}},
			{Title: "Deletions refused", Help: "More at once than rails.maxDeleteShare allows.", Form: Bars, Unit: "short",
				Queries: []Query{{grew("spokedns_deletions_refused_total", "view, zone"), "{{view}} {{zone}}"}}},
			{Title: "The same change again", Help: "Two writers disagree, and undo each other's work.", Form: Bars, Unit: "short",
				Queries: []Query{{grew("spokedns_repeated_changes_total", "view, zone"), "{{view}} {{zone}}"}}},
		}},
		{"How fast", []Panel{
			{Title: "Calls of external-dns, 99 %", Help: "external-dns hangs up after 15 s.", Form: Lines, Unit: "s",
				Queries: []Query{{quantile("spokedns_request_duration_seconds", "call"), "{{call}}"}}},
			{Title: "Answers to external-dns", Help: "5xx is a soft error: the next loop tries again.", Form: Bars, Unit: "short",
				Queries: []Query{{grew("spokedns_requests_total", "call, code"), "{{call}} {{code}}"}}},
			{Title: "Reading and writing zones, 99 %", Form: Lines, Unit: "s", Help: "By view, whatever the number of requests.",
				Queries: []Query{{quantile("spokedns_backend_operation_duration_seconds", "view, operation"), "{{view}} {{operation}}"}}},
			{Title: "Requests to DNS services", Help: "Those that count requests. throttled: asked more often than they allow.", Form: Bars, Unit: "short",
				Queries: []Query{{grew("spokedns_api_requests_total", "view, operation, result"), "{{view}} {{operation}} {{result}}"}}},
		}},
		{"Addresses of sites", []Panel{
			{Title: "May be published", Help: "Of each wanIP target. Otherwise names keep what they have.", Form: State, Unit: "short", Steps: wanted(), Words: map[string]string{"0": "unknown", "1": "known"},
				Queries: []Query{{`min by (target, family) (spokedns_wan_ip_known` + of() + `)`, "{{target}} {{family}}"}}},
			{Title: "Last confirmed", Help: "By the site's ipcontroller, or by the webhook's own detection.", Form: Lines, Unit: "s",
				Queries: []Query{{`time() - max by (target, family) (spokedns_wan_ip_confirmed_timestamp_seconds` + of() + `)`, "{{target}} {{family}}"}}},
			{Title: "The webhook's own finding", Help: "The ConfigMap is stale or missing, and the target allows detection: is there no ipcontroller?", Form: State, Unit: "short",
				Steps: below(1, 1), Words: map[string]string{"0": "no", "1": "yes"},
				Queries: []Query{{`max by (target, family) (spokedns_wan_ip_fallback` + of() + `)`, "{{target}} {{family}}"}}},
			{Title: "Moves to a new address", Help: "Records moved at once, without waiting for external-dns.", Form: Bars, Unit: "short",
				Queries: []Query{{grew("spokedns_failovers_total", "result"), "{{result}}"}}},
			{Title: "Records left to external-dns", Help: "At the last move: not known to be its own.", Form: Lines, Unit: "short",
				Queries: []Query{{`max(spokedns_failover_records_left` + of() + `)`, "records"}}},
		}},
		{"Certificates and process", []Panel{
			{Title: "Certificates end in", Help: "Those whose files the configuration names.", Form: Lines, Unit: "s",
				Queries: []Query{{`min by (view, backend, certificate) (spokedns_certificate_expiry_timestamp_seconds` + of() + `) - time()`, "{{view}} {{backend}} {{certificate}}"}}},
			process(),
		}},
	}}
}

// process is the last panel of the programs' pages.
func process() Panel {
	return Panel{Title: "Memory", Help: "Of each container, beside external-dns's in the webhook's pod.", Form: Lines, Unit: "bytes",
		Queries: []Query{{`max by (pod, container) (process_resident_memory_bytes` + of() + `)`, "{{pod}} {{container}}"}}}
}
