package dialect

import (
	"bytes"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
)

// A customTarget is a key of our own in a ConfigMap that the Corefile imports.
type customTarget struct {
	dialect *Dialect
	source  Source
	file    string // the path of the key in the pods
}

func (t *customTarget) serves(zone string) bool { return t.dialect.Cluster.servesZone(zone) }

func (t *customTarget) rights() []Right {
	return []Right{ownConfigMap(t.source.Namespace, t.source.Name)}
}

func (t *customTarget) plan(want []corefile.Forward) (part, error) {
	s := &t.dialect.Cluster
	cm := t.dialect.facts.configMap(t.source.Namespace, t.source.Name)
	var before []byte
	if cm != nil {
		if text, ok := cm.Data[t.source.Key]; ok {
			before = []byte(text)
		}
	}
	next, err := corefile.Edit(before, want, s.Site)
	if err != nil {
		return part{}, inFile(err, t.file)
	}
	if len(bytes.TrimSpace(next)) == 0 {
		next = nil
	}
	var p part
	if p.candidate, p.warnings, err = t.candidate(next, want); err != nil {
		return part{}, err
	}
	if cm != nil {
		p.owners = owners(t.source.ref(), cm, "f:data", "f:"+t.source.Key)
	}
	if next == nil && before == nil || next != nil && bytes.Equal(next, before) {
		return p, nil
	}
	e := Edit{Ref: t.source.ref(), Key: t.source.Key, Before: before, After: next, How: Apply}
	if cm != nil {
		e.ResourceVersion = cm.ResourceVersion
	}
	switch {
	case cm == nil || appliedByUs(cm, "f:data", "f:"+t.source.Key):
		if next == nil && oursAlone(cm) && len(cm.Data) == 1 && len(cm.BinaryData) == 0 {
			e.How = Delete
			break
		}
		e.Object = e.Ref.bare()
		if cm == nil || next != nil && cm.Annotations[createdAnnotation] != "" {
			e.Object = e.Ref.created() // an apply that leaves it out would take it away
		}
		if next != nil {
			err = unstructured.SetNestedField(e.Object.Object, string(next), "data", t.source.Key)
		}
	default:
		// Somebody else has written our key too, a backup restored for example: apply would meet a conflict, or leave it there.
		e.How = Update
		e.Object, err = withKey(cm, t.source.Key, next)
	}
	p.edits = []Edit{e}
	return p, err
}

// candidate is the unchanged Corefile with the imports as they will be.
func (t *customTarget) candidate(key []byte, want []corefile.Forward) (*Candidate, []string, error) {
	s := &t.dialect.Cluster
	c := &Candidate{Corefile: s.Corefile, Process: s.Process, Site: s.Site}
	judged := s.Process
	if c.Process.Imports != nil {
		judged.Imports = mapsWith(s.Process.Imports, t.file, nil)
		c.Process.Imports = mapsWith(s.Process.Imports, t.file, key)
	}
	// Blocks of ours are known as such in the Corefile itself only, so they are judged as if they stood there.
	text := bytes.Join([][]byte{s.Corefile, key}, []byte("\n"))
	warnings, err := t.dialect.gate(text, judged, want, s.Site, false)
	return c, warnings, err
}
