package install

import (
	"fmt"
	"time"
)

// Step is one thing that is done about a release.
type Step string

// The steps.
const (
	DoNothing Step = ""
	Install   Step = "Installed"   // there is none: make it
	Upgrade   Step = "Upgraded"    // bring it to what is wished
	Repair    Step = "Repaired"    // somebody changed what it made: write it again
	Retry     Step = "Retried"     // the last attempt failed: try again
	Rollback  Step = "RolledBack"  // it hangs in an attempt: back to the revision before
	Release   Step = "Released"    // it hangs in its first attempt: mark that as failed
	Drain     Step = "Drained"     // have external-dns withdraw its records
	Uninstall Step = "Uninstalled" // take it out
	Wait      Step = "Waiting"     // for somebody else's work, or for the records to go
	Refuse    Step = "Refused"     // it is somebody else's
)

// Status is that of a release, as far as it matters.
type Status int

// The statuses.
const (
	Absent  Status = iota // there is no release
	Stands                // the last attempt succeeded
	Broken                // the last attempt failed
	Pending               // an attempt was begun and not ended
	Leaving               // an uninstallation was begun and not ended
)

// Found is what was found of a release.
type Found struct {
	Status Status
	// Ours says that this program made it.
	Ours bool
	// Digest is that of the wish it was made of.
	Digest string
	// Age is the time since the last attempt began.
	Age time.Duration
	// Good is the newest revision that stood once, before the last attempt; 0: none.
	Good int
	// Drifted says that what it made is not as it made it.
	Drifted bool
	// Drains says that records are being withdrawn, for DrainingFor; Drained that none is left.
	Drains      bool
	DrainingFor time.Duration
	Drained     bool
	// Keeps says that its records stay: external-dns never deletes any, or cannot tell which are its own.
	Keeps bool
}

// patience is how long an attempt that was begun is taken for somebody's who is still at it. Ours take seconds.
const patience = 5 * time.Minute

// Decide says what is done next about a release, and why. Wanted is the digest of what is wished; empty: nothing is.
//
// A release of somebody else's is never touched. What hangs is brought back to where it can be worked on, and nothing is
// uninstalled before its records are withdrawn, or were given drain to be.
func Decide(wanted string, f Found, drain time.Duration) (Step, string) {
	switch {
	case f.Status == Absent && wanted == "":
		return DoNothing, "there is no release"
	case f.Status == Absent:
		return Install, "there is no release yet"
	case !f.Ours && wanted == "":
		return DoNothing, "the release is somebody else's"
	case !f.Ours:
		return Refuse, "there is a release of that name that corednsconfig did not make: want another releaseName or namespace, or that release taken out"
	case f.Status == Leaving:
		return Uninstall, "an uninstallation was not ended"
	case f.Status == Pending && f.Age < patience:
		return Wait, fmt.Sprintf("an attempt began %s ago and is not ended: it is waited for until it is %s old", f.Age.Round(time.Second), patience)
	case f.Status == Pending && f.Good > 0:
		return Rollback, fmt.Sprintf("an attempt began %s ago and was never ended: back to revision %d", f.Age.Round(time.Second), f.Good)
	case f.Status == Pending:
		return Release, fmt.Sprintf("the first attempt began %s ago and was never ended", f.Age.Round(time.Second))
	case wanted == "":
		return leave(f, drain)
	case f.Status == Broken:
		return Retry, "the last attempt failed"
	case f.Digest != wanted || f.Drains:
		return Upgrade, "something else is wished than what it was made of"
	case f.Drifted:
		return Repair, "what it made was changed or deleted"
	}
	return DoNothing, "it is as is wished"
}

// leave is Decide for what is not wished any longer.
func leave(f Found, drain time.Duration) (Step, string) {
	switch {
	case f.Keeps:
		return Uninstall, "records stay: external-dns deletes none by its policy, or cannot tell its own by its registry"
	case !f.Drains:
		return Drain, "its records are withdrawn first"
	case f.Status == Stands && f.Drained:
		return Uninstall, "external-dns has withdrawn all its records"
	case f.DrainingFor >= drain:
		return Uninstall, fmt.Sprintf("external-dns did not withdraw all its records within %s: some may be left", drain)
	case f.Status == Broken:
		return Drain, "the withdrawal of its records could not be begun, and is tried again"
	}
	return Wait, fmt.Sprintf("external-dns has been withdrawing its records for %s, and may take %s", f.DrainingFor.Round(time.Second), drain)
}
