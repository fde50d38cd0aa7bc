package ganditest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// handler answers a request that passed; mu is held.
type handler func(r *http.Request) answer

// route finds what a request asks for and the name under which it is counted.
func (s *Server) route(r *http.Request) (operation string, h handler) {
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), "/v5/")
	parts := strings.Split(path, "/")
	for i, p := range parts {
		decoded, err := url.PathUnescape(p)
		ok = ok && err == nil
		parts[i] = decoded
	}
	if !ok || len(parts) < 2 || parts[1] != "domains" {
		return r.Method + " unknown", func(*http.Request) answer { return notFound() }
	}
	var what string
	do := map[string]handler{}
	switch api, args := parts[0], parts[2:]; {
	case api == "domain" && len(args) == 0:
		what, do = "registrations", map[string]handler{http.MethodGet: s.registrations}
	case api == "livedns" && len(args) == 0:
		what, do = "domains", map[string]handler{http.MethodGet: s.listDomains}
	case api == "livedns" && len(args) == 1:
		what, do = "domain", map[string]handler{http.MethodGet: s.in(args[0], (*domain).get)}
	case api == "livedns" && len(args) == 2 && args[1] == "records":
		what = "records"
		do[http.MethodGet] = s.in(args[0], s.listRecords)
		do[http.MethodPost] = s.in(args[0], (*domain).create)
	case api == "livedns" && len(args) == 3 && args[1] == "records":
		what = "name"
		name := strings.ToLower(args[2])
		do[http.MethodGet] = s.in(args[0], func(d *domain, _ *http.Request) answer { return d.getName(name, s.options.MissingName) })
		do[http.MethodPut] = s.in(args[0], func(d *domain, r *http.Request) answer { return d.putName(name, r) })
		do[http.MethodDelete] = s.in(args[0], func(d *domain, _ *http.Request) answer { return d.deleteName(name) })
	case api == "livedns" && len(args) == 4 && args[1] == "records":
		what = "rrset"
		name, typ := strings.ToLower(args[2]), strings.ToUpper(args[3])
		do[http.MethodGet] = s.in(args[0], func(d *domain, _ *http.Request) answer { return d.getRRset(name, typ) })
		do[http.MethodPut] = s.in(args[0], func(d *domain, r *http.Request) answer { return d.putRRset(name, typ, r) })
		do[http.MethodDelete] = s.in(args[0], func(d *domain, _ *http.Request) answer { return d.deleteRRset(name, typ) })
	default:
		return r.Method + " unknown", func(*http.Request) answer { return notFound() }
	}
	if h = do[r.Method]; h == nil {
		h = func(r *http.Request) answer {
			return failure(http.StatusNotImplemented, "HTTPNotImplemented", "Not Implemented", "The stand-in does not do "+r.Method+" of this.")
		}
	}
	return r.Method + " " + what, h
}

// in answers for a domain; one that LiveDNS does not hold is not found (octodns).
func (s *Server) in(name string, h func(*domain, *http.Request) answer) handler {
	return func(r *http.Request) answer {
		d := s.domains[strings.ToLower(name)]
		if d == nil {
			return notFound()
		}
		return h(d, r)
	}
}

// listDomains is GET /v5/livedns/domains. reference: sharing_id "acts like a filter on returned data".
func (s *Server) listDomains(r *http.Request) answer {
	return s.page(r, s.listed(r, func(d string) any {
		href := origin(r) + "/v5/livedns/domains/" + d
		return map[string]any{"fqdn": d, "domain_href": href, "domain_records_href": href + "/records"}
	}))
}

// registrations is GET /v5/domain/domains, which external-dns's own provider asks for.
func (s *Server) registrations(r *http.Request) answer {
	return s.page(r, s.listed(r, func(d string) any {
		return map[string]any{"fqdn": d, "fqdn_unicode": d, "id": d, "href": origin(r) + "/v5/domain/domains/" + d,
			"nameserver": map[string]any{"current": "livedns"}, "status": []string{"clientTransferProhibited"}, "sharing_id": s.options.SharingID}
	}))
}

func (s *Server) listed(r *http.Request, show func(string) any) []any {
	if id := r.URL.Query().Get("sharing_id"); id != "" && id != s.options.SharingID {
		return []any{}
	}
	all := []any{}
	for _, d := range slices.Sorted(func(yield func(string) bool) {
		for name := range s.domains {
			if !yield(name) {
				return
			}
		}
	}) {
		all = append(all, show(d))
	}
	return all
}

func (s *Server) listRecords(d *domain, r *http.Request) answer {
	return s.page(r, d.sorted())
}

// page is the part of a collection that was asked for, with the headers Link (to the next and the last
// page, absent on the last one) and Total-Count.
func (s *Server) page(r *http.Request, all []any) answer {
	query := r.URL.Query()
	number, size := 1, s.options.PerPage
	for name, into := range map[string]*int{"page": &number, "per_page": &size} {
		if v := query.Get(name); v != "" {
			n, err := strconv.Atoi(v)
			if err != nil || n < 1 {
				return reply(http.StatusBadRequest, map[string]any{"status": "error", "errors": []map[string]string{
					{"location": "querystring", "name": name, "description": strconv.Quote(v) + " is not a positive number"},
				}})
			}
			*into = n
		}
	}
	size = min(size, s.options.MaxPerPage)
	last := max(1, (len(all)+size-1)/size)
	a := reply(http.StatusOK, all[min(len(all), (number-1)*size):min(len(all), number*size)])
	a.header.Set("Total-Count", strconv.Itoa(len(all)))
	if number < last {
		link := func(n int, rel string) string {
			query.Set("page", strconv.Itoa(n))
			return fmt.Sprintf("<%s%s?%s>; rel=%q", origin(r), r.URL.EscapedPath(), query.Encode(), rel)
		}
		a.header.Set("Link", link(number+1, "next")+", "+link(last, "last"))
	}
	return a
}

// origin is the scheme and host that a client reached us by.
func origin(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// decode reads a JSON body.
func decode(r *http.Request, into any) *answer {
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		a := failure(http.StatusBadRequest, "HTTPBadRequest", "Bad Request", "The body is not valid JSON: "+err.Error())
		return &a
	}
	return nil
}
