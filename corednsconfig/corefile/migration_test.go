package corefile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/coredns/corefile-migration/migration"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
)

// kubeadm upgrade and Cluster API rewrite a modified Corefile with corefile-migration, which drops every comment. From every
// release to the next and to the last: our block is still known as ours, none is added beside it, and it can be taken out.
func TestOurBlockSurvivesMigration(t *testing.T) {
	versions := migration.ValidVersions()
	if len(versions) < 40 {
		t.Fatalf("corefile-migration knows %d releases, want at least 40", len(versions))
	}
	src := corpus(t)["kubeadm-1.17"]
	want := []corefile.Forward{forward("openmcp.test", "10.0.0.1", "10.0.0.2"), forward("b.example", "10.0.0.3")}
	pairs := 0
	for i, old := range versions {
		site := corefile.Site{Port: 53, Prometheus: ":9153", Version: version(t, old)}
		edited := mustEdit(t, src, want, site)
		for j, next := range versions[i+1:] {
			if j > 0 && i+1+j < len(versions)-1 {
				continue // one step, and all the way
			}
			pairs++
			migrated, err := migration.Migrate(old, next, string(edited), false)
			if err != nil {
				t.Fatalf("%s to %s: %v", old, next, err)
			}
			if strings.Contains(migrated, "#") {
				t.Fatalf("%s to %s: the comments are still there, so this tests nothing", old, next)
			}
			site.Version = version(t, next)
			adopted := mustEdit(t, []byte(migrated), want, site)
			file, err := corefile.Parse(adopted, corefile.Process{})
			if err != nil {
				t.Fatal(err)
			}
			var ours, all []string
			for _, b := range file.Blocks() {
				all = append(all, b.Keys[0].String())
				if b.Ours {
					ours = append(ours, b.Keys[0].String())
				}
			}
			if !slices.Equal(ours, []string{"dns://b.example.:53", "dns://openmcp.test.:53"}) || len(all) != 3 {
				t.Fatalf("%s to %s: our blocks are %v among %v\n%s", old, next, ours, all, adopted)
			}
			for _, fault := range corefile.Faults(corefile.Check(adopted, corefile.Process{}, corefile.Rules{Want: want, Site: site, Migration: true})) {
				if fault.Ours {
					t.Fatalf("%s to %s: %v\n%s", old, next, fault, adopted)
				}
			}
			bare := mustEdit(t, []byte(migrated), nil, site)
			if strings.Contains(string(bare), "openmcp") || strings.Count(string(bare), "{") != strings.Count(mustMigrate(t, old, next, src), "{") {
				t.Fatalf("%s to %s: taken out of the migrated file, this is left:\n%s", old, next, bare)
			}
		}
	}
	t.Logf("%d pairs of releases", pairs)
}

func mustMigrate(t *testing.T, old, next string, src []byte) string {
	t.Helper()
	migrated, err := migration.Migrate(old, next, string(src), false)
	if err != nil {
		t.Fatal(fmt.Errorf("%s to %s: %w", old, next, err))
	}
	return migrated
}

// With nothing to change, a migrated file is left as the migration wrote it.
func TestAdoptingNeedsNoWrite(t *testing.T) {
	want := []corefile.Forward{forward("openmcp.test", "10.0.0.1")}
	site := newest(t)
	site.Version = version(t, "1.12.1")
	edited := mustEdit(t, corpus(t)["kubeadm-1.34"], want, site)
	migrated, err := migration.Migrate("1.12.1", "1.14.3", string(edited), false)
	if err != nil {
		t.Fatal(err)
	}
	site.Version = version(t, "1.14.3")
	if got := string(mustEdit(t, []byte(migrated), want, site)); got != migrated {
		t.Errorf("a block that says what is wanted was written again:\n%s", got)
	}
}
