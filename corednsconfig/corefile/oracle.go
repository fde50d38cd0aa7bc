package corefile

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/coredns/corefile-migration/migration"
)

// migration asks the library with which kubeadm and Cluster API rewrite Corefiles what it would do to our blocks. It does not
// know every release; of one it does not know it can say nothing, and neither do we.
func (c *checker) migration(src []byte) {
	versions := migration.ValidVersions()
	release := c.rules.Site.Version.String()
	if len(versions) == 0 || !slices.Contains(versions, release) {
		return
	}
	latest := versions[len(versions)-1]
	for _, b := range c.file.blocks {
		if !b.Ours || b.End == 0 {
			continue
		}
		text := string(src[b.Start:b.End])
		notices, err := unsupported(release, latest, text)
		if err != nil {
			c.add(b, Migration, "corefile-migration would not read this block: %v", err)
			continue
		}
		said := map[string]bool{}
		for _, n := range notices {
			what := strings.TrimSpace(n.Plugin + " " + n.Option)
			if said[what] || c.othersHave(n.Plugin, n.Option) {
				continue // it would stop without us too
			}
			said[what] = true
			c.add(b, Migration, "corefile-migration does not know %s of CoreDNS %s: kubeadm upgrade would stop", what, n.Version)
		}
		migrated, err := migrate(release, latest, text)
		if err != nil {
			c.add(b, Migration, "corefile-migration from CoreDNS %s to %s refuses this block: %v", release, latest, err)
			continue
		}
		after, err := newOutline([]byte(migrated), 0)
		if err != nil || len(after.places) != 1 || !after.places[0].ours || !slices.Equal(after.places[0].keys, b.Keys) {
			c.add(b, Migration, "after a migration from CoreDNS %s to %s this block would no longer be known as ours", release, latest)
		}
	}
}

// othersHave reports whether a block that is not ours uses the plugin, and the option if one is named.
func (c *checker) othersHave(plugin, option string) bool {
	for i, s := range c.file.servers {
		if c.file.blocks[i].mine() {
			continue
		}
		for _, d := range s.directives {
			if d.name == plugin && (option == "" || slices.ContainsFunc(d.options(), func(line []token) bool { return line[0].text == option })) {
				return true
			}
		}
	}
	return false
}

func unsupported(from, to, text string) (notices []migration.Notice, err error) {
	defer caught(&err)
	return migration.Unsupported(from, to, text)
}

func migrate(from, to, text string) (migrated string, err error) {
	defer caught(&err)
	return migration.Migrate(from, to, text, false)
}

// caught turns a panic of the library, which takes nil for granted here and there, into an error.
func caught(err *error) {
	if r := recover(); r != nil {
		*err = errors.Join(*err, fmt.Errorf("panic: %v", r))
	}
}
