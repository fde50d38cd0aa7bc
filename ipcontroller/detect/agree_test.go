package detect_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/ipcontroller/detect"
)

// answer is one source's, written as "operator/name=address"; "-" is no answer, and a name that begins with
// "router" is a router.
func answer(text string) detect.Answer {
	who, said, _ := strings.Cut(text, "=")
	op, name, named := strings.Cut(who, "/")
	if !named {
		name = op
	}
	a := detect.Answer{Source: detect.Identity{Name: name, Operator: op, Via: detect.ViaHTTPS}}
	if strings.HasPrefix(name, "router") {
		a.Source.Via = detect.ViaRouter
	}
	if said == "-" {
		a.Err = &detect.Error{Kind: detect.NoAnswer}
		return a
	}
	a.Addr = addr(said)
	return a
}

func names(ids []detect.Identity) []string {
	var out []string
	for _, id := range ids {
		out = append(out, id.Name)
	}
	return out
}

func TestAgree(t *testing.T) {
	const A, B, C, old = "8.26.56.26", "93.184.215.14", "5.9.10.11", "5.9.10.12"
	type want struct {
		status             detect.Status
		addr               string
		voters, dissenters []string
		silent             []string
		agreed, asked      int
		reason             string
	}
	for _, tt := range []struct {
		name    string
		answers string
		need    int
		want    want
	}{
		{"all agree", "a=A b=A c=A d=A e=A", 3,
			want{detect.Verified, A, []string{"a", "b", "c", "d", "e"}, nil, nil, 5, 5, "5 of 5 operators agree on " + A}},
		{"just enough", "a=A b=A c=A d=- e=-", 3,
			want{detect.Verified, A, []string{"a", "b", "c"}, nil, []string{"d", "e"}, 3, 5, "3 of 5 operators agree on " + A}},
		{"too few", "a=A b=A c=- d=- e=-", 3,
			want{detect.Holding, old, []string{"a", "b"}, nil, []string{"c", "d", "e"}, 2, 5, "2 of 5 operators agree on " + A + ", 3 have to"}},
		{"none", "a=- b=- c=- d=- e=-", 3,
			want{detect.Holding, old, nil, nil, []string{"a", "b", "c", "d", "e"}, 0, 5, "none of 5 operators gave an address"}},
		{"nobody asked", "", 3, want{detect.Holding, old, nil, nil, nil, 0, 0, "none of 0 operators gave an address"}},
		{"one dissents", "a=A b=A c=A d=A e=B", 3,
			want{detect.Verified, A, []string{"a", "b", "c", "d"}, []string{"e"}, nil, 4, 5, "4 of 5 operators agree on " + A}},
		{"two dissent, each in their way", "a=A b=A c=A d=B e=C", 3,
			want{detect.Verified, A, []string{"a", "b", "c"}, []string{"d", "e"}, nil, 3, 5, "3 of 5 operators agree on " + A}},
		{"a rival with two votes", "a=A b=A c=A d=B e=B", 3,
			want{detect.Ambiguous, old, []string{"a", "b", "c"}, []string{"d", "e"}, nil, 3, 5, "3 of 5 operators say " + A + ", but 2 say " + B}},
		{"a rival, and nobody has enough", "a=A b=A c=B d=B e=-", 3,
			want{detect.Ambiguous, old, []string{"a", "b"}, []string{"c", "d"}, []string{"e"}, 2, 5, "2 of 5 operators say " + A + ", but 2 say " + B}},
		{"all differ", "a=A b=B c=C d=- e=-", 3,
			want{detect.Holding, old, []string{"c"}, []string{"a", "b"}, []string{"d", "e"}, 1, 5, "1 of 5 operators agree on " + C + ", 3 have to"}},
		{"many sources of one operator are one vote", "a/a1=A a/a2=A a/a3=A a/a4=A b=-", 3,
			want{detect.Holding, old, []string{"a1", "a2", "a3", "a4"}, nil, []string{"b"}, 1, 2, "1 of 2 operators agree on " + A + ", 3 have to"}},
		{"one source of an operator is enough for its vote", "a/a1=A a/a2=- b=A c=A", 3,
			want{detect.Verified, A, []string{"a1", "b", "c"}, nil, []string{"a2"}, 3, 3, "3 of 3 operators agree on " + A}},
		{"an operator that contradicts itself has none", "a/a1=A a/a2=B b=A c=A d=-", 3,
			want{detect.Holding, old, []string{"b", "c"}, []string{"a1", "a2"}, []string{"d"}, 2, 4, "2 of 4 operators agree on " + A + ", 3 have to"}},
		{"but counts as an opponent", "a/a1=A a/a2=B b=A c=A d=A e=B", 3,
			want{detect.Ambiguous, old, []string{"b", "c", "d"}, []string{"a1", "a2", "e"}, nil, 3, 5, "4 of 5 operators say " + A + ", but 2 say " + B}},
		{"a router has no vote", "a=A b=A r/router=A", 3,
			want{detect.Holding, old, []string{"a", "b"}, nil, nil, 2, 2, "2 of 2 operators agree on " + A + ", 3 have to"}},
		{"nor a veto", "a=A b=A c=A r/router1=B s/router2=B", 3,
			want{detect.Verified, A, []string{"a", "b", "c"}, nil, nil, 3, 3, "3 of 3 operators agree on " + A}},
		{"two of three", "a=A b=A c=B", 2,
			want{detect.Verified, A, []string{"a", "b"}, []string{"c"}, nil, 2, 3, "2 of 3 operators agree on " + A}},
		{"addresses that cannot be", "a=10.0.0.1 b=10.0.0.1 c=10.0.0.1 d=2606:4700::1 e=2606:4700::1", 2,
			want{detect.Holding, old, nil, nil, []string{"a", "b", "c", "d", "e"}, 0, 5, "none of 5 operators gave an address"}},
	} {
		var answers []detect.Answer
		for f := range strings.FieldsSeq(tt.answers) {
			answers = append(answers, answer(strings.NewReplacer("=A", "="+A, "=B", "="+B, "=C", "="+C).Replace(f)))
		}
		d := detect.Agree(answers, addr(old), detect.Rules{Family: detect.IPv4, Need: tt.need})
		got := want{d.Status, d.Addr.String(), names(d.Voters), names(d.Dissenters), names(d.Silent), d.Agreed, d.Asked, d.Reason}
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(want{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if d.Need != tt.need {
			t.Errorf("%s: Need is %d", tt.name, d.Need)
		}
		slices.Reverse(answers)
		if diff := cmp.Diff(d, detect.Agree(answers, addr(old), detect.Rules{Family: detect.IPv4, Need: tt.need}), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("%s: the order counts:\n%s", tt.name, diff)
		}
	}
}

// Every combination of five operators that tell the truth, tell one of three lies, or are silent: 3,125
// rounds. Against up to two liars, however they conspire, no lie is ever verified, and two who conspire can do
// no more than make it hold.
func TestNoLieOfTwoInFiveIsBelieved(t *testing.T) {
	said := []string{here4, "8.26.56.26", "8.26.56.27", "10.0.0.1", "-"}
	rounds, verified := 0, 0
	for code := range 3125 {
		var answers []detect.Answer
		count := map[string]int{}
		for i, c := 0, code; i < 5; i, c = i+1, c/5 {
			count[said[c%5]]++
			answers = append(answers, answer(fmt.Sprintf("op%d=%s", i, said[c%5])))
		}
		if liars := 5 - count[here4] - count["-"]; liars > 2 {
			continue
		}
		rounds++
		previous := addr("5.9.10.12")
		d := detect.Agree(answers, previous, detect.Rules{Family: detect.IPv4, Need: 3})
		want := detect.Verified
		switch {
		case count[said[1]] == 2 || count[said[2]] == 2:
			want = detect.Holding
			if count[here4] >= 2 {
				want = detect.Ambiguous
			}
		case count[here4] < 3:
			want = detect.Holding
		}
		if d.Status != want || (d.Status == detect.Verified && d.Addr != addr(here4)) || (d.Status != detect.Verified && d.Addr != previous) {
			t.Fatalf("%v: %s %v, want %s", count, d.Status, d.Addr, want)
		}
		if d.Status == detect.Verified {
			verified++
		}
	}
	if rounds != 32+5*3*16+10*9*8 || verified == 0 {
		t.Errorf("%d rounds, %d verified: some were left out", rounds, verified)
	}
}

// The same for any number of operators, sources and votes needed: fewer liars than that are never believed.
func TestAgreeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		operators := rapid.IntRange(1, 9).Draw(t, "operators")
		need := rapid.IntRange(1, 6).Draw(t, "need")
		liars := rapid.IntRange(0, need-1).Draw(t, "liars")
		lies := []string{"8.26.56.26", "8.26.56.27", "8.26.56.28", "127.0.0.1", "2606:4700::1111", "-"}
		var answers []detect.Answer
		for i := range operators {
			for j := range rapid.IntRange(1, 3).Draw(t, "sources") {
				says := rapid.SampledFrom([]string{here4, "-"}).Draw(t, "honest")
				if i < liars {
					says = rapid.SampledFrom(append(lies, here4)).Draw(t, "lie")
				}
				answers = append(answers, answer(fmt.Sprintf("op%d/s%d.%d=%s", i, i, j, says)))
			}
		}
		var previous netip.Addr
		if rapid.Bool().Draw(t, "known") {
			previous = addr("5.9.10.12")
		}
		rules := detect.Rules{Family: detect.IPv4, Need: need}
		d := detect.Agree(answers, previous, rules)
		if d.Status == detect.Verified && d.Addr != addr(here4) {
			t.Fatalf("believed %v", d.Addr)
		}
		if d.Status != detect.Verified && d.Addr != previous {
			t.Fatalf("%s with %v instead of %v", d.Status, d.Addr, previous)
		}
		if len(d.Voters)+len(d.Dissenters)+len(d.Silent) != len(answers) || d.Reason == "" {
			t.Fatalf("sources got lost: %+v", d)
		}
		if d.Status == detect.Verified && d.Agreed < need {
			t.Fatalf("verified by %d of %d", d.Agreed, need)
		}
		shuffled := rapid.Permutation(answers).Draw(t, "order")
		if again := detect.Agree(shuffled, previous, rules); !cmp.Equal(d, again, cmpopts.EquateComparable(netip.Addr{})) {
			t.Fatalf("the order counts: %+v, %+v", d, again)
		}
		// Saying it again from the same operator changes no vote.
		if again := detect.Agree(append(answers, answers...), previous, rules); again.Status != d.Status || again.Agreed != d.Agreed || again.Addr != d.Addr {
			t.Fatalf("repetition counts: %+v, %+v", d, again)
		}
	})
}

func TestAnErrorIsNoVoteEvenWithAnAddress(t *testing.T) {
	var answers []detect.Answer
	for i := range 5 {
		a := answer(fmt.Sprintf("op%d=%s", i, here4))
		a.Err = errors.New("of another type")
		answers = append(answers, a)
	}
	if d := detect.Agree(answers, netip.Addr{}, detect.Rules{Family: detect.IPv4, Need: 3}); d.Status != detect.Holding || d.Addr.IsValid() {
		t.Errorf("got %+v", d)
	}
}
