package backendtest

import "time"

// ttlGroups are about TTLs. What they ask for is clamped to the limits of the backend first.
func ttlGroups() []group {
	return []group{
		life("TTL none asks for the default",
			holds(a("www", "192.0.2.1").seconds(0))),
		life("TTL one second",
			holds(a("www", "192.0.2.1").seconds(1))),
		life("TTL change alone",
			holds(a("www", "192.0.2.1").seconds(60)),
			holds(a("www", "192.0.2.1").seconds(7200)),
			holds(a("www", "192.0.2.1").seconds(61))),
		life("TTL change alone of several values",
			holds(a("www", "192.0.2.1", "192.0.2.2", "192.0.2.3").seconds(60)),
			holds(a("www", "192.0.2.1", "192.0.2.2", "192.0.2.3").seconds(120))),
		life("TTL change alone of text",
			holds(txt("note", "x").seconds(60)),
			holds(txt("note", "x").seconds(120))),
		life("TTL and values change",
			holds(a("www", "192.0.2.1").seconds(60)),
			holds(a("www", "192.0.2.2").seconds(600)),
			holds(a("www", "192.0.2.2", "192.0.2.3").seconds(60))),
		life("TTL differs between types of a name",
			holds(a("www", "192.0.2.1").seconds(60), aaaa("www", "2001:db8::1").seconds(120), txt("www", "x").seconds(180))),
		life("TTL of a day and a week",
			holds(a("day", "192.0.2.1").seconds(86400), a("week", "192.0.2.2").seconds(604800))),
		life("TTL highest",
			holds(a("www", "192.0.2.1").seconds(1<<31-1))),
		life("TTL beyond the highest",
			holds(a("www", "192.0.2.1").lasting(200*365*24*time.Hour))),
		life("TTL of a fraction",
			holds(a("www", "192.0.2.1").lasting(90*time.Second+500*time.Millisecond))),
	}
}

// swapGroups are about changes that belong together, and about limits.
func swapGroups() []group {
	return []group{
		life("swap A to CNAME and back",
			holds(a("www", "192.0.2.1"), owner("www", "A")),
			holds(cname("www", "lb.example.net."), owner("www", "CNAME")),
			holds(a("www", "192.0.2.1"), owner("www", "A")),
			holds()),
		life("swap dual stack to CNAME and back",
			holds(a("www", "192.0.2.1"), aaaa("www", "2001:db8::1"), owner("www", "A"), owner("www", "AAAA")),
			holds(cname("www", "lb.example.net."), owner("www", "CNAME")),
			holds(a("www", "192.0.2.1", "192.0.2.2"), aaaa("www", "2001:db8::1"), owner("www", "A"), owner("www", "AAAA"))),
		life("swap CNAME to text",
			holds(cname("www", "lb.example.net.")),
			holds(txt("www", "x"), mx("www", "10 mail"))),
		life("swap A to AAAA",
			holds(a("www", "192.0.2.1"), owner("www", "A")),
			holds(aaaa("www", "2001:db8::1"), owner("www", "AAAA"))),
		life("swap the values of two names",
			holds(a("one", "192.0.2.1"), a("two", "192.0.2.2")),
			holds(a("one", "192.0.2.2"), a("two", "192.0.2.1"))),
		life("swap a name for its child",
			holds(a("foo", "192.0.2.1"), owner("foo", "A")),
			holds(a("bar.foo", "192.0.2.1"), txt("a-bar.foo", "x").in("bar.foo"))),
		life("many kinds at one name",
			holds(a("all", "192.0.2.1"), aaaa("all", "2001:db8::1"), txt("all", "x"), mx("all", "10 mail"),
				srv("all", "0 0 80 web"), ptr("all", "host.example.net."), naptr("all", `1 1 "S" "SIP+D2U" "" sip.example.net.`)),
			holds(txt("all", "x"), srv("all", "0 0 81 web"))),
		life("ownership text changes alone",
			holds(a("www", "192.0.2.1"), txt("a-www", "owner=one").in("www")),
			holds(a("www", "192.0.2.1"), txt("a-www", "owner=two").in("www"))),
		life("ownership text goes and address stays",
			holds(a("www", "192.0.2.1"), owner("www", "A")),
			holds(a("www", "192.0.2.1"))),
		life("set identifiers where they are unknown",
			holds(a("www", "192.0.2.1"), a("blue", "192.0.2.2").set("blue"))),
		life("properties where they are unknown",
			holds(a("www", "192.0.2.1"), a("odd", "192.0.2.2").attr("no-service-has-this", "1"))),
	}
}
