package nameserver

import (
	"fmt"

	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/keyfile/clause"
	"github.com/spokedns/spokedns/zonecontroller/nameserver/rndc"
)

// found is what stands on a BIND server.
type found struct {
	conf    []clause.Statement // of the zone; nil: the server does not know it
	serving bool
	serial  uint32 // when serving
	lost    bool   // not serving, and the server says that it cannot read the zone's file
}

// step is the next thing to do about a zone.
type step int

const (
	// nothing: it is as wished.
	nothing step = iota
	// keep: it is not ours to touch.
	keep
	// fill: add it as a secondary of the seed.
	fill
	// promote: it has its content from the seed; make it a primary.
	promote
	// discard: delete it with its files.
	discard
	// modify: change its configuration.
	modify
	// add: add it as a secondary of its primaries.
	add
	// fetch: a secondary has no data; have it fetch them.
	fetch
	// stuck: it is there and does not answer, and nobody says that its content is lost.
	stuck
)

// String is for messages.
func (s step) String() string {
	names := [...]string{"nothing", "keep", "fill", "promote", "discard", "modify", "add", "fetch", "stuck"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("step(%d)", int(s))
}

// plan decides the next step. It deletes only what carries our mark, and of a primary only what is lost
// already, by the server's own word or by a serial below one it had.
func plan(f found, z ZoneConfig, role v1alpha1.Role, view string, wish func(file string) []clause.Statement) step {
	if f.conf == nil {
		if role == v1alpha1.Primary {
			return fill
		}
		return add
	}
	file := fileOf(f.conf)
	if !ours(file, z.Zone, view) {
		return keep
	}
	behind := f.serving && older(f.serial, z.Floor)
	switch {
	case role == v1alpha1.Primary && !isPrimary(f.conf):
		if f.serving && !behind {
			return promote
		}
		return discard
	case role == v1alpha1.Primary:
		switch {
		case behind, f.lost && !f.serving:
			return discard
		case !f.serving:
			return stuck
		}
	case isPrimary(f.conf):
		return discard
	}
	if !clause.Same(settled(f.conf, z), wish(file)) {
		return modify
	}
	if !f.serving {
		return fetch
	}
	return nothing
}

func isPrimary(conf []clause.Statement) bool {
	typ, _ := clause.Find(conf, "type")
	return typ.Value() == "primary" || typ.Value() == "master"
}

// gone reports whether a server that refuses to read a zone's file has lost the content for good. What an
// administrator can put right, or passes, is no loss: the file would be deleted.
func gone(result string) bool {
	switch result {
	case rndc.NotPermitted, rndc.Failure, "out of memory", "not enough free resources", "too many open files", "I/O error", "disc full", "disc quota", "ran out of space",
		"soft quota reached", "lock busy", "would block", "timed out", "operation canceled", "operation in progress", "already running", "shutting down", "unexpected error", "not implemented", "not found":
		return false
	}
	return true
}

// older reports whether a serial lies below the floor (RFC 1982); no floor lies above any.
func older(serial, floor uint32) bool { return floor != 0 && rfc2136.Newer(floor, serial) }
