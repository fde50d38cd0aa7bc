package install_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/corednsconfig/install"
)

const drain = 10 * time.Minute

func TestDecide(t *testing.T) {
	ours := func(f install.Found) install.Found { f.Ours = true; return f }
	for name, c := range map[string]struct {
		wanted string
		found  install.Found
		want   install.Step
	}{
		"nothing, and nothing wished":             {"", install.Found{}, install.DoNothing},
		"nothing yet":                             {"a", install.Found{}, install.Install},
		"as is wished":                            {"a", ours(install.Found{Status: install.Stands, Digest: "a"}), install.DoNothing},
		"something else":                          {"b", ours(install.Found{Status: install.Stands, Digest: "a"}), install.Upgrade},
		"changed by somebody":                     {"a", ours(install.Found{Status: install.Stands, Digest: "a", Drifted: true}), install.Repair},
		"failed before":                           {"a", ours(install.Found{Status: install.Broken, Digest: "a"}), install.Retry},
		"failed before, and other values":         {"b", ours(install.Found{Status: install.Broken, Digest: "a"}), install.Retry},
		"somebody else's":                         {"a", install.Found{Status: install.Stands, Digest: "a"}, install.Refuse},
		"somebody else's, and it hangs":           {"a", install.Found{Status: install.Pending, Age: time.Hour}, install.Refuse},
		"somebody else's, not wished":             {"", install.Found{Status: install.Stands}, install.DoNothing},
		"somebody else's on its way out":          {"", install.Found{Status: install.Leaving}, install.DoNothing},
		"somebody at work":                        {"a", ours(install.Found{Status: install.Pending, Age: time.Minute, Good: 3}), install.Wait},
		"hangs in an upgrade":                     {"a", ours(install.Found{Status: install.Pending, Age: 5 * time.Minute, Good: 3}), install.Rollback},
		"hangs in its first attempt":              {"a", ours(install.Found{Status: install.Pending, Age: time.Hour}), install.Release},
		"hangs, and is to go":                     {"", ours(install.Found{Status: install.Pending, Age: time.Hour, Good: 1}), install.Rollback},
		"an uninstallation that was not ended":    {"a", ours(install.Found{Status: install.Leaving, Digest: "a"}), install.Uninstall},
		"to go":                                   {"", ours(install.Found{Status: install.Stands, Digest: "a"}), install.Drain},
		"to go, and it never came up":             {"", ours(install.Found{Status: install.Broken, Digest: "a"}), install.Drain},
		"draining":                                {"", ours(install.Found{Status: install.Stands, Drains: true, DrainingFor: time.Minute}), install.Wait},
		"drained":                                 {"", ours(install.Found{Status: install.Stands, Drains: true, DrainingFor: time.Minute, Drained: true}), install.Uninstall},
		"drained too slowly":                      {"", ours(install.Found{Status: install.Stands, Drains: true, DrainingFor: drain}), install.Uninstall},
		"the drain could not begin":               {"", ours(install.Found{Status: install.Broken, Drains: true, DrainingFor: time.Minute}), install.Drain},
		"the drain could not begin, for too long": {"", ours(install.Found{Status: install.Broken, Drains: true, DrainingFor: drain}), install.Uninstall},
		"its records stay":                        {"", ours(install.Found{Status: install.Stands, Keeps: true}), install.Uninstall},
		"wished again while it drains":            {"a", ours(install.Found{Status: install.Stands, Digest: "a", Drains: true, DrainingFor: time.Minute}), install.Upgrade},
		"wished again, the drain could not begin": {"a", ours(install.Found{Status: install.Broken, Digest: "a", Drains: true}), install.Retry},
	} {
		t.Run(name, func(t *testing.T) {
			got, why := install.Decide(c.wanted, c.found, drain)
			if got != c.want || why == "" {
				t.Errorf("%q: %s; want %q", got, why, c.want)
			}
		})
	}
}

func found(t *rapid.T) install.Found {
	return install.Found{
		Status: install.Status(rapid.IntRange(int(install.Absent), int(install.Leaving)).Draw(t, "status")), Ours: rapid.Bool().Draw(t, "ours"),
		Digest: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "digest"), Age: time.Duration(rapid.IntRange(0, 1200).Draw(t, "age")) * time.Second,
		Good: rapid.IntRange(0, 3).Draw(t, "good"), Drifted: rapid.Bool().Draw(t, "drifted"), Drains: rapid.Bool().Draw(t, "drains"),
		DrainingFor: time.Duration(rapid.IntRange(0, 1200).Draw(t, "draining")) * time.Second, Drained: rapid.Bool().Draw(t, "drained"), Keeps: rapid.Bool().Draw(t, "keeps"),
	}
}

// Whatever is found: somebody else's is not touched, nothing that is wished is drained, and nothing that stands is taken
// out before its records are gone, or had their time, or stay by what was said.
func TestDecideIsCareful(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		wanted := rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "wanted")
		f := found(t)
		step, why := install.Decide(wanted, f, drain)
		if f.Status != install.Absent && !f.Ours && step != install.DoNothing && step != install.Refuse {
			t.Fatalf("%s of somebody else's: %s", step, why)
		}
		if wanted != "" && step == install.Drain {
			t.Fatalf("drained what is wished: %s", why)
		}
		atEnd := f.Keeps || f.DrainingFor >= drain || f.Drained
		if step == install.Uninstall && f.Status != install.Leaving && (wanted != "" || !atEnd || !f.Drains && !f.Keeps) {
			t.Fatalf("taken out too early: %s", why)
		}
		if step == install.DoNothing && wanted != "" && (f.Status != install.Stands || f.Digest != wanted || f.Drains || f.Drifted || !f.Ours) {
			t.Fatalf("left as it is: %s", why)
		}
		if step == install.Install && f.Status != install.Absent {
			t.Fatalf("installed over what is there: %s", why)
		}
	})
}

// FuzzDecide follows a release through whatever happens to it: from any state, when nothing more happens, what is wished
// stands in the end, or nothing is there, or it is somebody else's.
func FuzzDecide(f *testing.F) {
	f.Add(uint8(3), true, "a", uint16(400), uint8(0), true, true, uint16(30), false, "b")
	f.Add(uint8(1), true, "a", uint16(0), uint8(2), false, false, uint16(0), true, "")
	f.Fuzz(func(t *testing.T, status uint8, ours bool, digest string, age uint16, good uint8, drifted, drains bool, draining uint16, keeps bool, wanted string) {
		is := install.Found{
			Status: install.Status(int(status) % 5), Ours: ours, Digest: digest, Age: time.Duration(age) * time.Second, Good: int(good),
			Drifted: drifted, Drains: drains, DrainingFor: time.Duration(draining) * time.Second, Keeps: keeps,
		}
		var steps []string
		for range 12 {
			step, _ := install.Decide(wanted, is, drain)
			steps = append(steps, string(step))
			switch step {
			case install.DoNothing, install.Refuse:
				if step == install.Refuse && (is.Ours || is.Status == install.Absent) || step == install.DoNothing && wanted != "" && is.Digest != wanted {
					t.Fatalf("%+v: %s", is, strings.Join(steps, " → "))
				}
				return
			case install.Install, install.Upgrade, install.Repair, install.Retry:
				is = install.Found{Status: install.Stands, Ours: true, Digest: wanted, Good: is.Good}
			case install.Rollback:
				is.Status, is.Age = install.Stands, 0
			case install.Release:
				is.Status = install.Broken
			case install.Drain:
				is.Status, is.Drains = install.Stands, true
			case install.Uninstall:
				is = install.Found{}
			case install.Wait:
				is.Age += drain
				is.DrainingFor += drain
			}
		}
		t.Fatalf("it goes on and on: %s", strings.Join(steps, " → "))
	})
}
