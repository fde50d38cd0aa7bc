package wanip

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Schema is the version of the contract: a reader takes no other.
const Schema = "1"

// Annotations of the ConfigMap.
const (
	annotationSchema = "wan.spokedns.io/schema"
	annotationHolder = "wan.spokedns.io/holder"
	annotationNode   = "wan.spokedns.io/node"
	annotationEpoch  = "wan.spokedns.io/epoch"
	annotationCGNAT  = "wan.spokedns.io/behind-cgnat" // "true", or absent
	annotationSum    = "wan.spokedns.io/sha256"       // of all the others and of the keys below
)

// Keys of the ConfigMap. Those of a family begin with its name; keyIPv4 and keyIPv6 are its name.
const (
	keyCurrentIP  = "current_ip"  // what the seed of this project wrote:
	keyTimestamp  = "timestamp"   // the IPv4 address, when it was written,
	keyDetectedAt = "detected_at" // and when it was detected
	keySequence   = "sequence"
	keyHistory    = "history"
	keyPrefix     = "ipv6_prefix"
	keyMode       = "ipv6_mode"

	suffixDetected = "_detected_at"
	suffixVerified = "_verified_at"
	suffixChanged  = "_changed_at"
	suffixStatus   = "_status"
	suffixSources  = "_sources"
)

// keys are the keys of the contract, annotations the annotations but the checksum. What else stands in the
// ConfigMap is not ours: it is neither read nor removed.
func keys() []string {
	out := []string{keyCurrentIP, keyTimestamp, keyDetectedAt, keySequence, keyHistory, keyPrefix, keyMode}
	for _, f := range Families() {
		out = append(out, f.String())
		for _, suffix := range []string{suffixDetected, suffixVerified, suffixChanged, suffixStatus, suffixSources} {
			out = append(out, f.String()+suffix)
		}
	}
	return out
}

func annotations() []string {
	return []string{annotationSchema, annotationHolder, annotationNode, annotationEpoch, annotationCGNAT}
}

// Encode writes a valid State as the data and the annotations of a ConfigMap.
func Encode(s State) (*corev1.ConfigMap, error) {
	cm := &corev1.ConfigMap{}
	if err := encodeInto(cm, s); err != nil {
		return nil, err
	}
	return cm, nil
}

// encodeInto replaces what is ours in a ConfigMap and leaves the rest.
func encodeInto(cm *corev1.ConfigMap, s State) error {
	if err := s.Validate(); err != nil {
		return fmt.Errorf("wanip: encode: %w", err)
	}
	data := map[string]string{
		keyTimestamp: text(s.WrittenAt),
		keySequence:  strconv.FormatInt(s.Sequence, 10),
		keyCurrentIP: addrText(s.IPv4.Addr), keyDetectedAt: text(s.IPv4.DetectedAt),
		keyMode: string(s.IPv6.Mode), keyPrefix: prefixText(s.IPv6.Prefix),
	}
	var err error
	if data[keyHistory], err = compact(s.History); err != nil {
		return err
	}
	for _, f := range Families() {
		name, found := f.String(), s.Of(f)
		data[name] = addrText(found.Addr)
		data[name+suffixStatus] = string(found.Status)
		data[name+suffixDetected] = text(found.DetectedAt)
		data[name+suffixVerified] = text(found.VerifiedAt)
		data[name+suffixChanged] = text(found.ChangedAt)
		if found.Votes.none() {
			continue
		}
		if data[name+suffixSources], err = compact(found.Votes); err != nil {
			return err
		}
	}
	notes := map[string]string{
		annotationSchema: Schema, annotationHolder: s.Holder, annotationNode: s.Node,
		annotationEpoch: strconv.FormatInt(s.Epoch, 10),
	}
	if s.BehindCGNAT {
		notes[annotationCGNAT] = "true"
	}
	cm.Data = overwrite(cm.Data, data, keys())
	cm.Annotations = overwrite(cm.Annotations, notes, annotations())
	cm.Annotations[annotationSum] = checksum(cm)
	return nil
}

// overwrite sets the named keys to the new values; a key without a value goes, for none is ever "".
func overwrite(old, values map[string]string, names []string) map[string]string {
	out := map[string]string{}
	for k, v := range old {
		out[k] = v
	}
	for _, k := range names {
		delete(out, k)
		if v := values[k]; v != "" {
			out[k] = v
		}
	}
	return out
}

// checksum covers everything of the contract, so that a key's absence says something: that it was not
// written, not that a hand removed it.
func checksum(cm *corev1.ConfigMap) string {
	covered := map[string]string{}
	for _, k := range keys() {
		if v, ok := cm.Data[k]; ok {
			covered[k] = v
		}
	}
	for _, k := range annotations() {
		if v, ok := cm.Annotations[k]; ok {
			covered[k] = v
		}
	}
	sorted, _ := json.Marshal(covered) // of strings: cannot fail
	sum := sha256.Sum256(sorted)
	return hex.EncodeToString(sum[:])
}

// Validate says what of a State must not be written; nil when nothing.
func (s State) Validate() error {
	var wrong []error
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if s.WrittenAt.IsZero() {
		bad("the time of writing is missing")
	}
	if s.Sequence < 1 || s.Sequence > maxSequence {
		bad("sequence %d: want 1 or more", s.Sequence)
	}
	if s.Epoch < 0 || s.Epoch > maxSequence {
		bad("epoch %d: want 0 or more", s.Epoch)
	}
	if len(s.History) > HistoryLength {
		bad("%d changes in the history: want at most %d", len(s.History), HistoryLength)
	}
	if s.IPv4.Prefix.IsValid() || s.IPv4.Mode != "" {
		bad("ipv4: a prefix and a mode are for IPv6")
	}
	for _, f := range Families() {
		if err := s.Of(f).validate(f); err != nil {
			bad("%w", err)
		}
	}
	return errors.Join(wrong...)
}

// validate is also what Decode asks of what it reads.
func (f Finding) validate(family Family) error {
	switch f.Status {
	case Verified, Static, Holding, Ambiguous:
	case "":
		if f.Addr.IsValid() || f.dated() || !f.Votes.none() || f.Prefix.IsValid() || f.Mode != "" {
			return fmt.Errorf("%s_status is missing", family)
		}
		return nil
	default:
		return fmt.Errorf("%s_status: %q: want %s, %s, %s or %s", family, f.Status, Verified, Holding, Ambiguous, Static)
	}
	if f.Problem != "" {
		return fmt.Errorf("%s: %s", family, f.Problem)
	}
	if !f.Addr.IsValid() {
		if f.Status == Verified || f.Status == Static || f.dated() {
			return fmt.Errorf("%s is missing", family)
		}
		return f.validatePrefix()
	}
	if FamilyOf(f.Addr) != family {
		return fmt.Errorf("%s: %s is no %s address", family, f.Addr, family.people())
	}
	if err := Public(f.Addr); err != nil {
		return fmt.Errorf("%s: %w", family, err)
	}
	for suffix, at := range map[string]time.Time{suffixDetected: f.DetectedAt, suffixVerified: f.VerifiedAt, suffixChanged: f.ChangedAt} {
		if at.IsZero() {
			return fmt.Errorf("%s%s is missing", family, suffix)
		}
	}
	return f.validatePrefix()
}

func (v Votes) none() bool { return v.Agree == 0 && v.Asked == 0 && len(v.Sources) == 0 }

func (f Finding) dated() bool {
	return !f.DetectedAt.IsZero() || !f.VerifiedAt.IsZero() || !f.ChangedAt.IsZero()
}

func (f Finding) validatePrefix() error {
	switch p := f.Prefix; {
	case !p.IsValid():
		return nil
	case !p.Addr().Is6(), p != p.Masked():
		return fmt.Errorf("%s: %q: want an IPv6 prefix without host bits", keyPrefix, p)
	case Public(p.Addr()) != nil:
		return fmt.Errorf("%s: %w", keyPrefix, Public(p.Addr()))
	case f.Addr.IsValid() && !p.Contains(f.Addr):
		return fmt.Errorf("%s: %s does not contain %s", keyPrefix, p, f.Addr)
	}
	return nil
}

func compact(v any) (string, error) {
	out, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("wanip: encode: %w", err)
	}
	if string(out) == "null" {
		return "", nil
	}
	return string(out), nil
}

// text is RFC 3339 in UTC, with as much of the second as there is.
func text(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func prefixText(p netip.Prefix) string {
	if !p.IsValid() {
		return ""
	}
	return p.String()
}
