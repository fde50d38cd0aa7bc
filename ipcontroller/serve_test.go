package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/ipcontroller/page"
)

// listen serves a replica as its process does.
func (s *site) listen(r *replica) string {
	server := httptest.NewServer(r.handler())
	s.t.Cleanup(server.Close)
	return server.URL
}

// ask gives the status, the header and the body.
func ask(t *testing.T, method, url string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(body)
}

func TestEveryEndpointAnswersEveryMethod(t *testing.T) {
	s := newSite(t)
	a := s.start("a")
	s.until("published", s.published(here))
	s.until("ready", func() bool { code, _ := a.get("/readyz"); return code == http.StatusOK })
	url := s.listen(a)
	for path, content := range map[string]string{
		"/": "text/html; charset=utf-8", "/raw": "application/json", "/metrics": "text/plain", "/healthz": "text/plain", "/readyz": "text/plain",
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			status, h, body := ask(t, method, url+path)
			if status != http.StatusOK || !strings.HasPrefix(h.Get("Content-Type"), content) ||
				h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s %s: %d %v", method, path, status, h)
			}
			if (body == "") != (method == http.MethodHead) {
				t.Errorf("%s %s: %d bytes", method, path, len(body))
			}
		}
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, "BREW"} {
			status, h, _ := ask(t, method, url+path)
			allow := strings.Split(h.Get("Allow"), ", ")
			slices.Sort(allow)
			if status != http.StatusMethodNotAllowed || !slices.Equal(allow, []string{"GET", "HEAD"}) {
				t.Errorf("%s %s: %d, Allow %v", method, path, status, allow)
			}
		}
	}
	if status, _, _ := ask(t, http.MethodGet, url+"/elsewhere"); status != http.StatusNotFound {
		t.Errorf("/elsewhere: %d", status)
	}
	_, h, _ := ask(t, http.MethodGet, url+"/")
	if got := h.Get("Content-Security-Policy"); got != page.Policy() {
		t.Errorf("policy %q", got)
	}
}

// However wild what is asked for, the metrics stay as few.
func TestRequestsAreCountedWithFewLabels(t *testing.T) {
	s := newSite(t)
	a := s.start("a")
	s.until("published", s.published(here))
	url := s.listen(a)
	for _, what := range []string{"GET /raw", "GET /raw", "HEAD /raw", "POST /raw", "BREW /", "GET /a", "GET /b/c?d", "GET //raw", "DELETE /healthzz"} {
		method, path, _ := strings.Cut(what, " ")
		ask(t, method, url+path)
	}
	_, _, body := ask(t, http.MethodGet, url+"/metrics")
	var got []string
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "spokedns_endpoint_requests_total") || strings.HasPrefix(line, "spokedns_endpoint_request_duration_seconds_count") {
			got = append(got, strings.TrimPrefix(strings.TrimSpace(line), "spokedns_endpoint_"))
		}
	}
	want := []string{
		`request_duration_seconds_count{endpoint="/",method="other"} 1`,
		`request_duration_seconds_count{endpoint="/raw",method="GET"} 2`,
		`request_duration_seconds_count{endpoint="/raw",method="HEAD"} 1`,
		`request_duration_seconds_count{endpoint="/raw",method="other"} 1`,
		`request_duration_seconds_count{endpoint="other",method="GET"} 3`,
		`request_duration_seconds_count{endpoint="other",method="other"} 1`,
		`requests_total{endpoint="/",method="other",status="405"} 1`,
		`requests_total{endpoint="/raw",method="GET",status="200"} 2`,
		`requests_total{endpoint="/raw",method="HEAD",status="200"} 1`,
		`requests_total{endpoint="/raw",method="other",status="405"} 1`,
		`requests_total{endpoint="other",method="GET",status="307"} 1`,
		`requests_total{endpoint="other",method="GET",status="404"} 2`,
		`requests_total{endpoint="other",method="other",status="404"} 1`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What read ESDDNS's /raw finds the same keys of the same types; before anything is known as well as after.
func TestRawHasTheShapeItHadInESDDNS(t *testing.T) {
	s := newSite(t)
	for _, o := range s.operators {
		o.AnswerHTTP(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "", http.StatusInternalServerError) })
	}
	a := s.start("a")
	url := s.listen(a)
	raw := func() (out map[string]any) {
		_, _, body := ask(t, http.MethodGet, url+"/raw")
		if err := json.Unmarshal([]byte(body), &out); err != nil {
			t.Fatal(err, body)
		}
		return out
	}
	s.until("claimed", func() bool { return dig(raw(), "wan_ip_state", "status") == "Holding" })
	before := raw()
	want := map[string]any{"usable": false, "IP": nil, "status": "Holding", "age_seconds": nil, "confirmed_at": nil,
		"problem": "no IPv4 address has been agreed on yet (Holding)"}
	if diff := cmp.Diff(want, before["wan_ip_state"]); diff != "" {
		t.Errorf("before (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"in_sync": nil, "record_data": nil}, before["record_state"]); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	if date, has := before["poll_date"]; !has || date != nil {
		t.Errorf("poll_date %v", date)
	}
	s.say(here)
	s.until("known", func() bool { return dig(raw(), "wan_ip_state", "usable") == true })
	after := raw()
	if dig(after, "wan_ip_state", "IP") != here || dig(after, "poll_date") == nil || dig(after, "poll_date") != dig(after, "wan_ip_state", "confirmed_at") {
		t.Errorf("after: %v", after)
	}
	if age, ok := dig(after, "wan_ip_state", "age_seconds").(float64); !ok || age < 0 {
		t.Errorf("age %v", dig(after, "wan_ip_state", "age_seconds"))
	}
	if v6, ok := after["ipv6_state"].(map[string]any); !ok || v6["usable"] != false || v6["status"] != "" {
		t.Errorf("IPv6, which is not looked after: %v", after["ipv6_state"])
	}
}
