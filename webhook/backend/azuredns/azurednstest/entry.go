package azurednstest

import (
	"encoding/json"
	"errors"
)

// entryOf is a record set in the JSON of its API.
func entryOf(z *zone, set *recordSet) string {
	props := set.props
	props.FQDN = z.absolute(set.name) + "."
	raw, err := json.Marshal(props)
	if err != nil {
		panic("azurednstest: " + err.Error())
	}
	if z.kind == Private {
		raw = renamed(raw, privateNames())
	}
	return mustJSON(map[string]any{
		"id":         z.id() + "/" + set.typ + "/" + set.name,
		"name":       set.name,
		"type":       z.kind.provider() + "/" + set.typ,
		"etag":       set.etag,
		"properties": json.RawMessage(raw),
	})
}

// zoneEntry is a zone in the JSON of its API.
func zoneEntry(z *zone) string {
	return mustJSON(map[string]any{
		"id":       z.id(),
		"name":     z.name,
		"type":     z.kind.provider(),
		"location": "global",
		"tags":     map[string]string{},
		"properties": map[string]any{
			"numberOfRecordSets": len(z.sets),
		},
	})
}

// privateNames are the keys of the private API that are not spelled as in the public one.
func privateNames() map[string]string {
	return map[string]string{
		"TTL": "ttl", "ARecords": "aRecords", "AAAARecords": "aaaaRecords", "CNAMERecord": "cnameRecord", "MXRecords": "mxRecords",
		"PTRRecords": "ptrRecords", "SOARecord": "soaRecord", "SRVRecords": "srvRecords", "TXTRecords": "txtRecords",
	}
}

func renamed(object []byte, names map[string]string) []byte {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(object, &fields); err != nil {
		panic("azurednstest: " + err.Error())
	}
	for old, name := range names {
		if v, ok := fields[old]; ok {
			delete(fields, old)
			fields[name] = v
		}
	}
	return []byte(mustJSON(fields))
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("azurednstest: " + err.Error())
	}
	return string(b)
}

// typed reads an entry into the type of the SDK that stands for it.
func typed[T any](entry string) *T {
	v := new(T)
	if err := json.Unmarshal([]byte(entry), v); err != nil {
		panic("azurednstest: " + err.Error())
	}
	return v
}

func typedAll[T any](entries []string) []*T {
	out := make([]*T, 0, len(entries))
	for _, e := range entries {
		out = append(out, typed[T](e))
	}
	return out
}

// rawProperties are the properties of a record set that came in, as JSON.
func rawProperties(set json.Marshaler) (string, error) {
	b, err := set.MarshalJSON()
	if err != nil {
		return "", err
	}
	var outer struct {
		Properties json.RawMessage `json:"properties"`
	}
	if err := json.Unmarshal(b, &outer); err != nil {
		return "", err
	}
	if len(outer.Properties) == 0 {
		return "", errors.New("no properties")
	}
	return string(outer.Properties), nil
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func nextLink(p page) *string {
	if p.next == "" {
		return nil
	}
	return &p.next
}
