package route53test

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// request is one call under way.
type request struct {
	operation string
	zone      string // id of the hosted zone, when the path names one
	id        string // of what else the path names
	http      *http.Request
	body      []byte
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	q := route(r, body)
	s.mu.Lock()
	s.counts[q.operation]++
	f := s.fault(q.operation)
	tooMany := s.tooMany()
	s.mu.Unlock()
	if f != nil && f.Delay > 0 {
		if !s.wait(q, f.Delay) {
			answer(w, refused(http.StatusBadRequest, "PriorRequestNotComplete", "The request was rejected because Route 53 was still processing a prior request."), nil)
			return
		}
	}
	switch {
	case tooMany:
		answer(w, refused(http.StatusBadRequest, "Throttling", "Rate exceeded"), nil)
		return
	case f != nil && f.Done:
		_, _ = s.carryOut(q)
	}
	switch {
	case f != nil && f.Cut:
		panic(http.ErrAbortHandler)
	case f != nil && f.Status != 0:
		answer(w, refused(f.Status, f.Code, "injected"), nil)
		return
	}
	out, no := s.carryOut(q)
	answer(w, no, out)
}

// wait lets time pass in which a change keeps its zone busy; false when the zone is busy already
// (ChangeResourceRecordSets, PriorRequestNotComplete).
func (s *Server) wait(q request, d time.Duration) bool {
	if q.operation != "ChangeResourceRecordSets" {
		time.Sleep(d)
		return true
	}
	s.mu.Lock()
	z := s.zones[q.zone]
	if z != nil && z.busy {
		s.mu.Unlock()
		return false
	}
	if z != nil {
		z.busy = true
	}
	s.mu.Unlock()
	time.Sleep(d)
	if z != nil {
		s.mu.Lock()
		z.busy = false
		s.mu.Unlock()
	}
	return true
}

// route names the operation of a request (the paths of the service model).
func route(r *http.Request, body []byte) request {
	q := request{operation: "unknown", http: r, body: body}
	if r.URL.Path == "/" {
		q.operation = "sts"
		if err := r.ParseForm(); err == nil {
			r.Form, _ = parseQuery(body)
			q.operation = r.Form.Get("Action")
		}
		return q
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/2013-04-01/")
	if !ok {
		return q
	}
	parts := strings.Split(path, "/")
	match := func(method, pattern string) bool {
		want := strings.Split(pattern, "/")
		if r.Method != method || len(want) != len(parts) {
			return false
		}
		for i, w := range want {
			switch {
			case w == "{zone}":
				q.zone = parts[i]
			case w == "{id}":
				q.id = parts[i]
			case w != parts[i]:
				return false
			}
		}
		return true
	}
	for _, o := range []struct{ method, pattern, operation string }{
		{http.MethodGet, "hostedzone", "ListHostedZones"},
		{http.MethodGet, "hostedzonesbyname", "ListHostedZonesByName"},
		{http.MethodGet, "hostedzonesbyvpc", "ListHostedZonesByVPC"},
		{http.MethodGet, "hostedzone/{zone}", "GetHostedZone"},
		{http.MethodGet, "hostedzone/{zone}/rrset", "ListResourceRecordSets"},
		{http.MethodPost, "hostedzone/{zone}/rrset", "ChangeResourceRecordSets"},
		{http.MethodGet, "change/{id}", "GetChange"},
		{http.MethodGet, "tags/hostedzone/{zone}", "ListTagsForResource"},
		{http.MethodPost, "tags/hostedzone", "ListTagsForResources"},
	} {
		if match(o.method, o.pattern) {
			q.operation = o.operation
			break
		}
	}
	return q
}

// carryOut does what is asked for.
func (s *Server) carryOut(q request) (any, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch q.operation {
	case "AssumeRole":
		return s.assumeRole(q)
	case "AssumeRoleWithWebIdentity":
		return s.assumeRoleWithWebIdentity(q)
	}
	who, no := s.caller(q, "route53")
	if no != nil {
		return nil, no
	}
	if s.denied[q.operation] { // Developer Guide, Overview of managing access permissions
		return nil, refused(http.StatusForbidden, "AccessDenied", fmt.Sprintf("User: %s is not authorized to perform: route53:%s because no identity-based policy allows the route53:%s action", who, q.operation, q.operation))
	}
	var z *zone
	if q.zone != "" {
		if z = s.zones[q.zone]; z == nil { // NoSuchHostedZone of each operation
			return nil, refused(http.StatusNotFound, "NoSuchHostedZone", "No hosted zone found with ID: "+q.zone)
		}
	}
	query := q.http.URL.Query()
	switch q.operation {
	case "ListHostedZones":
		return s.listZones(query)
	case "ListHostedZonesByName":
		return s.listZonesByName(query)
	case "ListHostedZonesByVPC":
		return s.listZonesByVPC(query)
	case "GetHostedZone":
		return s.getZone(z), nil
	case "ListResourceRecordSets":
		return s.listRecords(z, query)
	case "ChangeResourceRecordSets":
		var c changeRequest
		if err := xml.Unmarshal(q.body, &c); err != nil { // Common Errors, MalformedInput
			return nil, refused(http.StatusBadRequest, "MalformedInput", err.Error())
		}
		info, no := s.change(z, c)
		return struct {
			XMLName    xml.Name `xml:"ChangeResourceRecordSetsResponse"`
			Xmlns      string   `xml:"xmlns,attr"`
			ChangeInfo changeInfo
		}{Xmlns: namespace, ChangeInfo: info}, no
	case "GetChange":
		if _, ok := s.changes[q.id]; !ok {
			return nil, refused(http.StatusNotFound, "NoSuchChange", "Could not find resource with ID: "+q.id)
		}
		return struct {
			XMLName    xml.Name `xml:"GetChangeResponse"`
			Xmlns      string   `xml:"xmlns,attr"`
			ChangeInfo changeInfo
		}{Xmlns: namespace, ChangeInfo: s.info(q.id)}, nil
	case "ListTagsForResource":
		return struct {
			XMLName        xml.Name `xml:"ListTagsForResourceResponse"`
			Xmlns          string   `xml:"xmlns,attr"`
			ResourceTagSet tagSetXML
		}{Xmlns: namespace, ResourceTagSet: z.tags()}, nil
	case "ListTagsForResources":
		return s.listTags(q.body)
	}
	return nil, refused(http.StatusNotFound, "UnknownOperationException", q.http.Method+" "+q.http.URL.Path)
}

// answer writes a success or a refusal.
func answer(w http.ResponseWriter, no *refusal, out any) {
	const id = "01234567-89ab-cdef-0123-456789abcdef"
	status := http.StatusOK
	switch {
	case no == nil:
	case no.messages != nil:
		status, out = no.status, invalidBatchXML{Xmlns: namespace, Messages: no.messages, ID: id}
	default:
		kind := "Sender"
		if no.status >= http.StatusInternalServerError {
			kind = "Receiver"
		}
		status, out = no.status, errorXML{Xmlns: namespace, Type: kind, Code: no.code, Message: no.message, ID: id}
	}
	body, err := xml.Marshal(out)
	if err != nil {
		panic(err) // our own types
	}
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("X-Amzn-Requestid", id)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, xml.Header)
	_, _ = w.Write(body)
}
