package dialect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
)

// kube-dns looks at its settings this often.
const kubeDNSPeriod = 10 * time.Second

// stubAnnotation says which entries of stubDomains are ours; JSON has no place for a mark.
const stubAnnotation = "dns.spokedns.io/stub-domains"

// stubRecord is the content of stubAnnotation.
type stubRecord struct {
	// Zones we wrote, with the servers we wrote for them.
	Zones map[string][]string `json:"zones"`
	// Was is what the key held when it held no JSON object; nil: the key was not there, or there was an object.
	Was *string `json:"was,omitempty"`
	// Absent: the key was not there.
	Absent bool `json:"absent,omitempty"`
}

// A stubTarget is the ConfigMap of kube-dns. Users have entries under the same key, so it is replaced as a whole under
// resourceVersion.
type stubTarget struct {
	dialect *Dialect
	source  Source
}

func (t *stubTarget) configMap() *corev1.ConfigMap {
	return t.dialect.facts.configMap(t.source.Namespace, t.source.Name)
}

func (t *stubTarget) rights() []Right {
	return []Right{ownConfigMap(t.source.Namespace, t.source.Name)}
}

func (t *stubTarget) serves(zone string) bool {
	cm := t.configMap()
	if cm == nil {
		return false
	}
	m, err := parseStubs([]byte(cm.Data[t.source.Key]))
	_, ok := m.find(zone)
	return ok && err == nil
}

func (t *stubTarget) plan(want []corefile.Forward) (part, error) {
	p := part{}
	settled, err := t.judge(want)
	if err != nil {
		return p, err
	}
	if len(want) > 0 {
		p.warnings = append(p.warnings, "where Cloud DNS serves a GKE cluster, kube-dns runs on unasked and stub domains have no effect: "+
			"a zone that stays unresolved needs a forwarding zone in Cloud DNS")
	}
	cm := t.configMap()
	record, err := readRecord(cm)
	if err != nil {
		return p, inFile(err, t.source.ref().String()+" annotation "+stubAnnotation)
	}
	var before []byte
	if cm != nil {
		p.owners = owners(t.source.ref(), cm, "f:data", "f:"+t.source.Key)
		if text, ok := cm.Data[t.source.Key]; ok {
			before = []byte(text)
		}
	}
	next, nextRecord, warnings, err := splice(before, record, settled)
	if err != nil {
		return p, inFile(err, t.source.String())
	}
	p.warnings = append(p.warnings, warnings...)
	e := Edit{Ref: t.source.ref(), Key: t.source.Key, Before: before, After: next}
	if err := t.send(&e, cm, nextRecord); err != nil {
		return p, err
	}
	if e.How != "" {
		p.edits = []Edit{e}
	}
	return p, nil
}

// judge refuses wishes that no cluster could meet. There is no Corefile here, so they are held against a plain one.
func (t *stubTarget) judge(want []corefile.Forward) ([]corefile.Forward, error) {
	site := corefile.Site{Port: 53}
	text, err := corefile.Edit([]byte(".:53 {\n    errors\n}\n"), want, site)
	if err != nil {
		return nil, err
	}
	if _, err = t.dialect.gate(text, corefile.Process{}, want, site, false); err != nil {
		return nil, err
	}
	return settle(want)
}

// splice puts the wanted entries into the text and takes those of the record out that are not wanted.
func splice(text []byte, record stubRecord, want []corefile.Forward) (next []byte, nextRecord stubRecord, warnings []string, err error) {
	if len(want) == 0 && len(record.Zones) == 0 {
		return text, record, nil, nil
	}
	m, err := parseStubs(text)
	if err != nil {
		return nil, record, nil, err
	}
	nextRecord = stubRecord{Zones: map[string][]string{}, Was: record.Was, Absent: record.Absent}
	if len(record.Zones) == 0 {
		nextRecord.Was, nextRecord.Absent = nil, text == nil
		if text != nil && m.open < 0 {
			was := string(text)
			nextRecord.Was = &was
		}
	}
	for _, f := range want {
		for _, zone := range f.Zones {
			nextRecord.Zones[zone] = nil
			for _, u := range f.Upstreams {
				nextRecord.Zones[zone] = append(nextRecord.Zones[zone], upstreamText(u))
			}
		}
	}
	change := func(next []byte, err error) error {
		if err != nil {
			return err
		}
		m, err = parseStubs(next)
		return err
	}
	// Backwards, because each goes in front of the others.
	for _, zone := range slices.Backward(slices.Sorted(maps.Keys(nextRecord.Zones))) {
		servers := nextRecord.Zones[zone]
		there, taken := m.find(zone)
		_, ours := record.Zones[zone]
		switch {
		case taken && slices.Equal(there.servers, servers):
		case taken && !ours:
			return nil, record, nil, &corefile.Fault{Reason: corefile.UserZone, Ours: true, Line: m.line(there),
				Text: fmt.Sprintf("zone %q already has servers that are not ours: take the entry or the zone away", zone)}
		default:
			if err := change(m.without(zone), nil); err != nil {
				return nil, record, nil, err
			}
			if err := change(m.with(zone, servers)); err != nil {
				return nil, record, nil, err
			}
		}
	}
	for zone, servers := range record.Zones {
		there, taken := m.find(zone)
		if _, wanted := nextRecord.Zones[zone]; wanted || !taken {
			continue
		}
		if !slices.Equal(there.servers, servers) {
			warnings = append(warnings, fmt.Sprintf("zone %q is no longer wanted, but its entry in stubDomains was changed by somebody and is left as it is", zone))
			continue
		}
		if err := change(m.without(zone), nil); err != nil {
			return nil, record, nil, err
		}
	}
	next = m.text
	if len(nextRecord.Zones) == 0 && len(m.entries) == 0 && len(record.Zones) > 0 {
		switch {
		case record.Absent:
			next = nil
		case record.Was != nil:
			next = []byte(*record.Was)
		}
	}
	return next, nextRecord, warnings, nil
}

func (m stubMap) line(s stub) int { return 1 + bytes.Count(m.text[:s.start], []byte("\n")) }

func readRecord(cm *corev1.ConfigMap) (stubRecord, error) {
	var r stubRecord
	if cm == nil || cm.Annotations[stubAnnotation] == "" {
		return r, nil
	}
	if err := json.Unmarshal([]byte(cm.Annotations[stubAnnotation]), &r); err != nil {
		return r, &corefile.Fault{Reason: corefile.Altered, Ours: true, Text: "it says which entries are ours and cannot be read (" + err.Error() + "): take it away, or the entries"}
	}
	return r, nil
}

// send decides how the text and the record are written; How stays empty if nothing changes.
func (t *stubTarget) send(e *Edit, cm *corev1.ConfigMap, record stubRecord) error {
	annotation := ""
	if len(record.Zones) > 0 {
		content, err := json.Marshal(record)
		if err != nil {
			return err
		}
		annotation = string(content)
	}
	if cm == nil {
		if e.After == nil {
			return nil
		}
		e.How, e.Object = Apply, e.Ref.bare()
		e.Object.SetAnnotations(map[string]string{stubAnnotation: annotation, createdAnnotation: "true"})
		return unstructured.SetNestedField(e.Object.Object, string(e.After), "data", e.Key)
	}
	e.ResourceVersion = cm.ResourceVersion
	if bytes.Equal(e.Before, e.After) && (e.Before == nil) == (e.After == nil) && cm.Annotations[stubAnnotation] == annotation {
		return nil
	}
	if e.After == nil && oursAlone(cm) && len(cm.Data) == 1 && len(cm.BinaryData) == 0 {
		e.How = Delete
		return nil
	}
	next := cm.DeepCopy()
	if next.Annotations == nil {
		next.Annotations = map[string]string{}
	}
	next.Annotations[stubAnnotation] = annotation
	if annotation == "" {
		delete(next.Annotations, stubAnnotation)
		delete(next.Annotations, createdAnnotation)
	}
	var err error
	e.How = Update
	e.Object, err = withKey(next, e.Key, e.After)
	return err
}
