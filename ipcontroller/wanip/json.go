package wanip

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"time"
)

// source is a Source as JSON.
type source struct {
	Name     string     `json:"name"`
	Operator string     `json:"operator"`
	Addr     netip.Addr `json:"ip,omitzero"`
	RTT      string     `json:"rtt,omitempty"` // as in "12.5ms"
	Error    string     `json:"error,omitempty"`
}

// MarshalJSON writes {"name":…,"operator":…,"ip":…,"rtt":"12ms"}.
func (s Source) MarshalJSON() ([]byte, error) {
	out := source{Name: s.Name, Operator: s.Operator, Addr: s.Addr, Error: s.Error}
	if s.RTT != 0 {
		out.RTT = s.RTT.String()
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Source) UnmarshalJSON(text []byte) error {
	var in source
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*s = Source{Name: in.Name, Operator: in.Operator, Addr: in.Addr, Error: in.Error}
	if in.RTT != "" {
		rtt, err := time.ParseDuration(in.RTT)
		if err != nil {
			return fmt.Errorf("rtt: %w", err)
		}
		s.RTT = rtt
	}
	return nil
}

// MarshalText is String.
func (f Family) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads "ipv4" or "ipv6".
func (f *Family) UnmarshalText(text []byte) error {
	for _, known := range Families() {
		if string(text) == known.String() {
			*f = known
			return nil
		}
	}
	return fmt.Errorf("family %q: want ipv4 or ipv6", text)
}
