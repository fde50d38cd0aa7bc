package clouddnstest

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// refusal is an answer that says no, in the form that googleapi.CheckResponse reads
// (https://cloud.google.com/apis/design/errors, the HTTP mapping of version 1).
type refusal struct {
	status int
	items  []item
}

type item struct {
	Domain  string `json:"domain"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

func refuse(status int, reason, format string, args ...any) *refusal {
	return &refusal{status: status, items: []item{{Domain: "global", Reason: reason, Message: fmt.Sprintf(format, args...)}}}
}

// and adds the items of another refusal; the status is that of the first.
func (r *refusal) and(other *refusal) *refusal {
	switch {
	case r == nil:
		return other
	case other != nil:
		r.items = append(r.items, other.items...)
	}
	return r
}

func (r *refusal) write(w http.ResponseWriter) {
	type body struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Errors  []item `json:"errors"`
	}
	writeJSON(w, r.status, map[string]any{"error": body{Code: r.status, Message: r.items[0].Message, Errors: r.items}})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
