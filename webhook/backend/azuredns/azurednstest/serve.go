package azurednstest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// call is a request to Azure Resource Manager, understood.
type call struct {
	operation string // as in the REST reference: "RecordSets_CreateOrUpdate"
	api       string // as the SDK's clients and their server halves call it
	kind      Kind
	sub       string
	group     string // empty for lists of a whole subscription
	zone      string // empty for lists of zones
	key       setKey
	link      func(skip string) string // where the next page is
	skip      string
}

// ServeHTTP answers for Azure Resource Manager and for the token endpoints.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.serveToken(w, r) {
		return
	}
	c, ok := understand(r)
	if !ok {
		write(w, &refusal{status: http.StatusNotFound, code: "InvalidResourceType", message: "The resource type could not be found in the namespace 'Microsoft.Network' for api version '" + r.URL.Query().Get("api-version") + "'."})
		return
	}
	fault := s.meet(r.Context(), c.operation, c.key.typ+"/"+c.key.name, isWrite(r.Method))
	if fault.refusal != nil {
		write(w, fault.refusal)
		return
	}
	if refused := s.admit(r, c, w.Header()); refused != nil {
		write(w, refused)
		return
	}
	resp, err := s.dispatch(r, c)
	if fault.loseReply {
		panic(http.ErrAbortHandler) // what was asked for is done, and nobody hears of it
	}
	if err != nil {
		write(w, err)
		return
	}
	defer resp.Body.Close()
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body)
}

func isWrite(method string) bool { return method == http.MethodPut || method == http.MethodDelete }

// understand reads the paths of the two REST APIs. Their fixed words have no case, as everywhere in Azure
// Resource Manager.
func understand(r *http.Request) (call, bool) {
	parts := strings.Split(strings.Trim(r.URL.EscapedPath(), "/"), "/")
	for i := range parts {
		if p, err := url.PathUnescape(parts[i]); err == nil {
			parts[i] = p
		}
	}
	word := func(i int, w string) bool { return i < len(parts) && strings.EqualFold(parts[i], w) }
	if !word(0, "subscriptions") || len(parts) < 5 {
		return call{}, false
	}
	c := call{sub: parts[1], skip: r.URL.Query().Get("$skiptoken"), link: link(r)}
	rest := 2
	if word(2, "resourceGroups") {
		c.group, rest = parts[3], 4
	}
	if !word(rest, "providers") || !word(rest+1, "Microsoft.Network") || rest+2 >= len(parts) {
		return call{}, false
	}
	switch {
	case word(rest+2, "dnszones"):
		c.kind = Public
	case word(rest+2, "privateDnsZones"):
		c.kind = Private
	default:
		return call{}, false
	}
	c.describe(r.Method, parts[rest+3:])
	return c, c.api != ""
}

// describe finds the operation from what follows the resource type.
func (c *call) describe(method string, tail []string) {
	if len(tail) > 0 {
		c.zone = strings.ToLower(tail[0])
	}
	list := len(tail) == 2 && method == http.MethodGet
	switch {
	case len(tail) == 0 && method == http.MethodGet && c.group == "":
		c.api = "NewListPager"
	case len(tail) == 0 && method == http.MethodGet:
		c.api = "NewListByResourceGroupPager"
	case len(tail) == 1 && method == http.MethodGet && c.group != "":
		c.api = "Get"
	case list && strings.EqualFold(tail[1], "all") && c.kind == Public:
		c.api = "NewListAllByDNSZonePager"
	case list && strings.EqualFold(tail[1], "all"):
		c.api = "NewListPager"
	case len(tail) == 3:
		c.key = setKey{name: strings.ToLower(tail[2]), typ: strings.ToUpper(tail[1])}
		c.api = map[string]string{http.MethodPut: "CreateOrUpdate", http.MethodDelete: "Delete", http.MethodGet: "Get"}[method]
	}
	if c.api == "" {
		return
	}
	client := "RecordSets"
	if len(tail) < 2 {
		client = map[Kind]string{Public: "Zones", Private: "PrivateZones"}[c.kind]
	}
	c.operation = client + "_" + strings.TrimSuffix(strings.TrimPrefix(c.api, "New"), "Pager")
	c.api = client + "Client." + c.api
}

func link(r *http.Request) func(string) string {
	return func(skip string) string {
		q := r.URL.Query()
		q.Set("$skiptoken", skip)
		return "https://" + r.Host + r.URL.EscapedPath() + "?" + q.Encode()
	}
}

// path is the one the server halves of the SDK look for, which is the one the SDK's clients ask.
func (c *call) path() string {
	path := "/subscriptions/" + c.sub
	if c.group != "" {
		path += "/resourceGroups/" + c.group
	}
	switch {
	case c.kind == Private:
		path += "/providers/Microsoft.Network/privateDnsZones"
	case c.group == "":
		path += "/providers/Microsoft.Network/dnszones"
	default:
		path += "/providers/Microsoft.Network/dnsZones"
	}
	switch {
	case c.zone == "":
	case c.key != setKey{}:
		path += "/" + c.zone + "/" + c.key.typ + "/" + url.PathEscape(c.key.name)
	case c.operation == "RecordSets_ListAllByDNSZone":
		path += "/" + c.zone + "/all"
	case c.operation == "RecordSets_List":
		path += "/" + c.zone + "/ALL"
	default:
		path += "/" + c.zone
	}
	return path
}

// scope is the resource a right is needed on.
func (c *call) scope() string {
	scope := "/subscriptions/" + c.sub
	if c.group != "" {
		scope += "/resourceGroups/" + c.group
	}
	scope += "/providers/" + c.kind.provider()
	if c.zone != "" {
		scope += "/" + c.zone
	}
	return strings.ToLower(scope)
}

// dispatch hands the request to the SDK's server half. Each request gets a half of its own: they do not
// tell the functions behind them the subscription, and keep one place per list rather than per reader.
func (s *Server) dispatch(r *http.Request, c call) (*http.Response, error) {
	inner := r.Clone(context.WithValue(r.Context(), runtime.CtxAPINameKey{}, c.api))
	inner.URL = &url.URL{Scheme: "https", Host: r.Host, Path: c.path(), RawQuery: r.URL.RawQuery}
	inner.URL.RawPath = inner.URL.Path
	if unescaped, err := url.PathUnescape(inner.URL.Path); err == nil {
		inner.URL.Path = unescaped
	}
	if c.kind == Private {
		return s.privateHalf(c).Do(inner)
	}
	return s.publicHalf(c).Do(inner)
}

// admit checks what Resource Manager checks before the DNS services see a request.
func (s *Server) admit(r *http.Request, c call, header http.Header) error {
	if refused := s.checkToken(r); refused != nil {
		return refused
	}
	versions := []string{"2018-05-01"}
	if c.kind == Private {
		versions = []string{"2018-09-01", "2020-06-01", "2024-06-01"}
	}
	if v := r.URL.Query().Get("api-version"); !slices.Contains(versions, v) {
		return &refusal{status: http.StatusBadRequest, code: "InvalidApiVersionParameter", message: "The api-version '" + v + "' is invalid."}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, scope := range s.denied {
		if c.scope() == scope || strings.HasPrefix(c.scope(), scope+"/") {
			return &refusal{status: http.StatusForbidden, code: "AuthorizationFailed", message: "The client '" + ClientID +
				"' does not have authorization to perform action '" + c.operation + "' over scope '" + c.scope() +
				"' or the scope is invalid. If access was recently granted, please refresh your credentials."}
		}
	}
	return s.bucket(r.Method, c, header)
}

// top is how many entries a page has: 100, or what $top asks for, "a number between '1' and '1000'"
// (message of the service, in MicrosoftDocs/feedback#1111).
func (s *Server) top(asked *int32) (int, error) {
	if asked != nil && (*asked < 1 || int(*asked) > s.options.LargestPage) {
		return 0, badRequest("Invalid $top value: '%d'. It must be a number between '1' and '%d'.", *asked, s.options.LargestPage)
	}
	n := 100
	if asked != nil {
		n = int(*asked)
	}
	if s.options.PageSize > 0 {
		n = min(n, s.options.PageSize)
	}
	return n, nil
}

// write answers with an error in the form of the service that refuses.
func write(w http.ResponseWriter, err error) {
	r := &refusal{}
	if !errors.As(err, &r) {
		r = &refusal{status: http.StatusInternalServerError, code: "InternalServerError", message: err.Error()}
	}
	if r.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(r.retryAfter/time.Second)))
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(r.status)
	body := map[string]any{"code": r.code, "message": r.message}
	if !r.bare {
		body = map[string]any{"error": body}
	}
	_ = json.NewEncoder(w).Encode(body)
}
