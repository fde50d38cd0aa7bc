package wanip

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// maxSequence keeps a sequence from overflowing, whatever a hand wrote there.
const maxSequence = 1 << 53

// Decode reads what Encode wrote. It ignores keys that are not of the contract.
//
// The error is for the ConfigMap as a whole: of another schema, or edited by hand, which its checksum shows.
// Then nothing in it is believed, and both findings of the State have the error as their Problem. What is
// wrong in one family is that finding's Problem and harms no other. No address that is not Public, or that
// stands beside a malformed key, is ever returned.
func Decode(cm *corev1.ConfigMap) (State, error) {
	s, err := decode(cm)
	if err != nil {
		broken := Finding{Problem: err.Error()}
		return State{IPv4: broken, IPv6: broken}, fmt.Errorf("wanip: decode: %w", err)
	}
	return s, nil
}

func decode(cm *corev1.ConfigMap) (s State, err error) {
	if cm == nil {
		return s, fmt.Errorf("there is no ConfigMap")
	}
	switch sum, ok := cm.Annotations[annotationSum]; {
	case cm.Annotations[annotationSchema] == "":
		return s, fmt.Errorf("annotation %s is missing: this is not what the ipcontroller writes", annotationSchema)
	case cm.Annotations[annotationSchema] != Schema:
		return s, fmt.Errorf("annotation %s: %q: want %q", annotationSchema, cm.Annotations[annotationSchema], Schema)
	case !ok:
		return s, fmt.Errorf("annotation %s is missing: this is not what the ipcontroller writes", annotationSum)
	case sum != checksum(cm):
		return s, fmt.Errorf("edited by hand: it does not match its checksum in annotation %s", annotationSum)
	}
	s.Holder, s.Node = cm.Annotations[annotationHolder], cm.Annotations[annotationNode]
	s.BehindCGNAT = cm.Annotations[annotationCGNAT] == "true"
	if s.Epoch, err = count(cm.Annotations, annotationEpoch); err != nil {
		return s, err
	}
	if s.Sequence, err = count(cm.Data, keySequence); err != nil {
		return s, err
	}
	if s.Sequence < 1 {
		return s, fmt.Errorf("%s: %d: want 1 or more", keySequence, s.Sequence)
	}
	if s.WrittenAt, err = moment(cm.Data, keyTimestamp); err != nil {
		return s, err
	}
	if s.WrittenAt.IsZero() {
		return s, fmt.Errorf("%s is missing", keyTimestamp)
	}
	if err := document(cm.Data, keyHistory, &s.History); err != nil {
		return s, err
	}
	if err := sound(s.History); err != nil {
		return s, fmt.Errorf("%s: %w", keyHistory, err)
	}
	for _, f := range Families() {
		found, err := decodeFinding(cm.Data, f)
		if err != nil {
			found = Finding{Problem: err.Error()}
		}
		s.set(f, found)
	}
	return s, nil
}

func decodeFinding(data map[string]string, family Family) (f Finding, err error) {
	name := family.String()
	f.Status = Status(data[name+suffixStatus])
	if v, ok := data[name]; ok {
		if f.Addr, err = netip.ParseAddr(v); err != nil {
			return f, fmt.Errorf("%s: %q: want an address", name, v)
		}
	}
	for suffix, into := range map[string]*time.Time{
		suffixDetected: &f.DetectedAt, suffixVerified: &f.VerifiedAt, suffixChanged: &f.ChangedAt,
	} {
		if *into, err = moment(data, name+suffix); err != nil {
			return f, err
		}
	}
	if err := document(data, name+suffixSources, &f.Votes); err != nil {
		return f, err
	}
	if family == IPv6 {
		f.Mode = Mode(data[keyMode])
		if v, ok := data[keyPrefix]; ok {
			if f.Prefix, err = netip.ParsePrefix(v); err != nil {
				return f, fmt.Errorf("%s: %q: want a prefix", keyPrefix, v)
			}
		}
	} else if data[keyCurrentIP] != data[name] || data[keyDetectedAt] != data[name+suffixDetected] {
		return f, fmt.Errorf("%s and %s contradict %s and %s", keyCurrentIP, keyDetectedAt, name, name+suffixDetected)
	}
	return f, f.validate(family)
}

// sound is what a history has to be.
func sound(history []Change) error {
	if len(history) > HistoryLength {
		return fmt.Errorf("%d changes: want at most %d", len(history), HistoryLength)
	}
	for i, c := range history {
		if !c.Addr.IsValid() || c.Family != FamilyOf(c.Addr) || i > 0 && c.Sequence < history[i-1].Sequence {
			return fmt.Errorf("change %d: want rising sequences and addresses of their families", i)
		}
	}
	return nil
}

func count(from map[string]string, key string) (int64, error) {
	n, err := strconv.ParseInt(from[key], 10, 64)
	if err != nil || n < 0 || n > maxSequence {
		return 0, fmt.Errorf("%s: %q: want a whole number", key, from[key])
	}
	return n, nil
}

// moment reads a time; the zero time when there is none.
func moment(from map[string]string, key string) (time.Time, error) {
	v, ok := from[key]
	if !ok {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, v)
	if err != nil || !strings.HasSuffix(v, "Z") || t.IsZero() {
		return time.Time{}, fmt.Errorf("%s: %q: want a time in UTC, as 2006-01-02T15:04:05Z", key, v)
	}
	return t, nil
}

// document reads JSON, if there is any.
func document(from map[string]string, key string, into any) error {
	v, ok := from[key]
	if !ok {
		return nil
	}
	if err := json.Unmarshal([]byte(v), into); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}
