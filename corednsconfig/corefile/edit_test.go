package corefile_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
)

func TestEditWritesOneBlockPerListOfUpstreams(t *testing.T) {
	src := []byte(".:53 {\n    forward . /etc/resolv.conf\n}\n")
	want := []corefile.Forward{
		forward("Openmcp.Cluster.", "10.0.0.2", "10.0.0.1"),
		forward("b.example", "2001:db8::1"),
		forward("a.example", "10.0.0.2", "10.0.0.1"),
	}
	site := newest(t)
	site.Bind = []string{"10.96.0.10"}
	got := string(mustEdit(t, src, want, site))
	expected := string(src) + `# spokedns: kept by corednsconfig, changes here are undone (sha256:c19afde9e4a5966c)
a.example:53 openmcp.cluster:53 {
    bind 10.96.0.10
    errors
    cache 30 {
        denial 9984 5
        servfail 1s
        serve_stale 1h verify 200ms
    }
    forward . 10.0.0.2 10.0.0.1 {
        policy sequential
        max_fails 2
    }
    prometheus :9153
}
# spokedns: kept by corednsconfig, changes here are undone (sha256:778daba9e74ff6ce)
b.example:53 {
    bind 10.96.0.10
    errors
    cache 30 {
        denial 9984 5
        servfail 1s
        serve_stale 1h verify 200ms
    }
    forward . 2001:db8::1 {
        policy sequential
        max_fails 2
    }
    prometheus :9153
}
`
	if diff := cmp.Diff(expected, got); diff != "" {
		t.Error(diff)
	}
}

// The laws, on every Corefile of the corpus.
func TestEditIsIdempotentAndTakesItselfBack(t *testing.T) {
	one := []corefile.Forward{forward("openmcp.test", "10.0.0.1", "10.0.0.2")}
	other := []corefile.Forward{forward("other.test", "10.0.0.9"), forward("more.test", "10.0.0.8")}
	for name, src := range corpus(t) {
		t.Run(name, func(t *testing.T) {
			site := newest(t)
			first := mustEdit(t, src, one, site)
			if bytes.Equal(first, src) {
				t.Fatal("nothing was written")
			}
			if again := mustEdit(t, first, one, site); !bytes.Equal(again, first) {
				t.Errorf("a second Edit changes the file:\n%s", cmp.Diff(string(first), string(again)))
			}
			if back := mustEdit(t, first, nil, site); !bytes.Equal(back, src) {
				t.Errorf("taking the block out does not give the file back:\n%s", cmp.Diff(string(src), string(back)))
			}
			second := mustEdit(t, first, other, site)
			if again := mustEdit(t, second, other, site); !bytes.Equal(again, second) {
				t.Errorf("a second Edit changes the file:\n%s", cmp.Diff(string(second), string(again)))
			}
			if third := mustEdit(t, second, one, site); !bytes.Equal(third, first) {
				t.Errorf("the way there and back changes the file:\n%s", cmp.Diff(string(first), string(third)))
			}
			if back := mustEdit(t, second, nil, site); !bytes.Equal(back, src) {
				t.Errorf("taking the blocks out does not give the file back:\n%s", cmp.Diff(string(src), string(back)))
			}
		})
	}
}
