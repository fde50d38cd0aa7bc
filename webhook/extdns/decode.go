package extdns

import (
	"encoding/json"

	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/plan"
)

// DecodeEndpoints reads what encoding/json would read, refusing what it refuses.
func DecodeEndpoints(body []byte) ([]*endpoint.Endpoint, error) {
	var eps []*endpoint.Endpoint
	return eps, json.Unmarshal(body, &eps)
}

// DecodeChanges reads what encoding/json would read, refusing what it refuses.
func DecodeChanges(body []byte) (*plan.Changes, error) {
	changes := new(plan.Changes)
	return changes, json.Unmarshal(body, changes)
}
