package watch

import (
	"slices"
)

// readDNSEndpoint: every endpoint's name is a host; addresses and CNAMEs are its targets, other types
// publish no target.
func readDNSEndpoint(r *reader, read decode) (meta, object, error) {
	var in struct {
		Metadata meta `json:"metadata"`
		Spec     struct {
			Endpoints []*struct {
				DNSName    string   `json:"dnsName"`
				RecordType string   `json:"recordType"`
				Targets    []string `json:"targets"`
			} `json:"endpoints"`
		} `json:"spec"`
	}
	if err := read(&in); err != nil {
		return in.Metadata, nil, err
	}
	c := r.base("crd", &in.Metadata)
	perHost := map[string][]string{}
	for _, e := range in.Spec.Endpoints {
		if e == nil {
			continue
		}
		h, ok := host(e.DNSName)
		if !ok {
			continue
		}
		var published []string
		if slices.Contains([]string{"A", "AAAA", "CNAME"}, e.RecordType) {
			published = targets(e.Targets...)
		}
		perHost[h] = merge(perHost[h], published)
	}
	publish(c, perHost)
	return in.Metadata, fixed{c}, nil
}
