package consent_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"domicile.dev/internal/consent"
	"domicile.dev/internal/decision"
	"domicile.dev/internal/id"
)

var (
	ads  = consent.Consent("ads")
	mkt  = consent.OptOut("marketing")
	obj  = consent.Objection("ads")
	base = int64(1_700_000_000_000)
)

func said(about consent.About, word, channel string, act bool, at int64) consent.Word {
	return consent.Word{About: about, Word: word, Channel: channel, Act: act, At: base + at, ReceivedAt: base + 1000, How: "x", Source: "s"}
}

func hear(p *consent.Person, words ...consent.Word) (kept int) {
	for _, w := range words {
		if _, keep := p.Hear(&w); keep {
			kept++
		}
	}
	return kept
}

func anew() *consent.Person {
	return &consent.Person{Members: []consent.Member{{Subject: id.NewSubject()}}}
}

func TestWhatCounts(t *testing.T) {
	const yes, no, none = 'y', 'n', '-'
	for _, tt := range []struct {
		name  string
		about consent.About
		words []consent.Word
		want  rune
	}{
		{"nothing said is no yes", ads, nil, none},
		{"an SDK's yes where nothing was said", ads, []consent.Word{said(ads, consent.Given, "web/A", false, 1)}, yes},
		{"an SDK's yes lifts no no", ads, []consent.Word{said(ads, consent.Refused, "web/A", false, 1), said(ads, consent.Given, "web/A", false, 2)}, no},
		{"nor another channel's", ads, []consent.Word{said(ads, consent.Refused, consent.API, true, 1), said(ads, consent.Given, "web/A", false, 2)}, no},
		{"whatever comes first", ads, []consent.Word{said(ads, consent.Given, "web/A", false, 2), said(ads, consent.Refused, consent.API, true, 1)}, no},
		{"an act gives what was refused", ads, []consent.Word{said(ads, consent.Refused, "web/A", false, 1), said(ads, consent.Given, "web/A", true, 2)}, yes},
		{"in any channel", ads, []consent.Word{said(ads, consent.Refused, "app/A", true, 1), said(ads, consent.Given, "web/A", true, 2)}, yes},
		{"an older act doesn't", ads, []consent.Word{said(ads, consent.Refused, "web/A", false, 2), said(ads, consent.Given, "web/A", true, 1)}, no},
		{"at the same time it is a no", ads, []consent.Word{said(ads, consent.Given, "web/A", true, 1), said(ads, consent.Refused, "web/B", true, 1)}, no},
		{"withdrawn", ads, []consent.Word{said(ads, consent.Given, "web/A", true, 1), said(ads, consent.Withdrawn, consent.API, true, 2)}, no},
		{"what an SDK repeats from before an act is old", ads, []consent.Word{said(ads, consent.Given, "web/A", true, 5), said(ads, consent.Refused, "app/A", false, 4)}, yes},
		{"what it says after is new", ads, []consent.Word{said(ads, consent.Given, "web/A", true, 5), said(ads, consent.Refused, "app/A", false, 6)}, no},
		{"an opt-out", mkt, []consent.Word{said(mkt, consent.Out, "sms/keyword", true, 1)}, no},
		{"lifted where it was made", mkt, []consent.Word{said(mkt, consent.Out, "sms/keyword", true, 1), said(mkt, consent.In, "sms/keyword", true, 2)}, none},
		{"not elsewhere", mkt, []consent.Word{said(mkt, consent.Out, "sms/keyword", true, 1), said(mkt, consent.In, "mail/unsubscribe", true, 2)}, no},
		{"two of them are two", mkt, []consent.Word{said(mkt, consent.Out, "sms/keyword", true, 1), said(mkt, consent.Out, "mail/unsubscribe", true, 2), said(mkt, consent.In, "sms/keyword", true, 3)}, no},
		{"the tenant's word lifts all", mkt, []consent.Word{said(mkt, consent.Out, "sms/keyword", true, 1), said(mkt, consent.Out, "mail/unsubscribe", true, 2), said(mkt, consent.In, consent.API, true, 3)}, none},
		{"an SDK's yes lifts no opt-out", mkt, []consent.Word{said(mkt, consent.Out, "web/A", false, 1), said(mkt, consent.In, "web/A", false, 2)}, no},
		{"an objection", obj, []consent.Word{said(obj, consent.Objects, consent.API, true, 1)}, no},
		{"lifted by the tenant alone", obj, []consent.Word{said(obj, consent.Objects, "web/A", true, 1), said(obj, consent.Lifted, "web/A", true, 2)}, no},
		{"lifted", obj, []consent.Word{said(obj, consent.Objects, "web/A", true, 1), said(obj, consent.Lifted, consent.API, true, 2)}, none},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := anew()
			hear(p, tt.words...)
			got := none
			switch {
			case p.No(tt.about) != nil:
				got = no
			case tt.about == ads && p.Yes(tt.about) != nil:
				got = yes
			}
			if got != tt.want {
				t.Errorf("it is %c, want %c; standing %+v", got, tt.want, p.Members[0].Standing)
			}
		})
	}
}

func TestAWordThatChangesNothingIsNotWritten(t *testing.T) {
	for name, words := range map[string][]consent.Word{
		"a no repeated":          {said(ads, consent.Refused, "web/A", false, 1), said(ads, consent.Refused, "web/A", false, 2)},
		"a yes repeated":         {said(ads, consent.Given, "web/A", false, 1), said(ads, consent.Given, "web/A", false, 2)},
		"a yes after an act":     {said(ads, consent.Given, "web/A", true, 1), said(ads, consent.Given, "web/A", false, 2)},
		"another channel's yes":  {said(ads, consent.Given, "web/A", false, 1), said(ads, consent.Given, "app/A", false, 2)},
		"a yes against a no":     {said(ads, consent.Refused, "web/A", false, 1), said(ads, consent.Given, "web/A", false, 2)},
		"a no older than an act": {said(ads, consent.Given, "web/A", true, 3), said(ads, consent.Refused, "web/A", false, 2)},
		"the signal repeated":    {said(consent.GPC, consent.Out, "web/gpc", false, 1), said(consent.GPC, consent.Out, "web/gpc", false, 2)},
	} {
		p := anew()
		hear(p, words[0])
		before := len(p.Members[0].Standing)
		if changes, keep := p.Hear(&words[1]); len(changes) > 0 || keep || len(p.Members[0].Standing) != before {
			t.Errorf("%s: changes %+v, kept %v", name, changes, keep)
		}
	}
}

func TestARefusalOfWhatWasGivenIsAWithdrawal(t *testing.T) {
	p := anew()
	hear(p, said(ads, consent.Given, "web/A", true, 1), said(ads, consent.Refused, "web/A", false, 2))
	if no := p.No(ads); no == nil || no.No != consent.Withdrawn {
		t.Errorf("%+v", no)
	}
	q := anew()
	hear(q, said(ads, consent.Refused, "web/A", false, 2))
	if no := q.No(ads); no == nil || no.No != consent.Refused {
		t.Errorf("%+v", no)
	}
}

func TestOldAndFutureTimes(t *testing.T) {
	now := base
	for at, want := range map[int64]int64{0: now, -5: now, now + 1: now, now: now, now - 1: now - 1, 1: now} {
		if got := consent.When(at, now); got != want {
			t.Errorf("When(%d) = %d, want %d", at, got, want)
		}
	}
}

// random returns a word; times collide often, as they do in life.
func random(r *rand.Rand) consent.Word {
	about := []consent.About{ads, mkt, obj}[r.IntN(3)]
	yes := r.IntN(2) == 0
	word := map[consent.About][2]string{ads: {consent.Refused, consent.Given}, mkt: {consent.Out, consent.In}, obj: {consent.Objects, consent.Lifted}}[about]
	w := said(about, word[0], []string{consent.API, "web/A", "web/B", "sms/keyword"}[r.IntN(4)], r.IntN(2) == 0, int64(r.IntN(6)))
	if yes {
		w.Word = word[1]
	}
	if w.Channel == consent.API {
		w.Act = true
	}
	return w
}

func says(p *consent.Person) string {
	var d decision.Subject
	p.Subject(&d)
	return fmt.Sprint(d.Consents, d.Objects, d.OptOuts)
}

func TestAMergeTurnsNoNoIntoAYes(t *testing.T) {
	for seed := range uint64(20_000) {
		r := rand.New(rand.NewPCG(seed, 1))
		people := []*consent.Person{anew(), anew(), anew()}
		for range r.IntN(12) {
			w := random(r)
			people[r.IntN(3)].Hear(&w)
		}
		all := &consent.Person{}
		for _, p := range people {
			all.Members = append(all.Members, p.Members...)
		}
		for _, a := range []consent.About{ads, mkt, obj} {
			for _, p := range people {
				if p.No(a) != nil && all.No(a) == nil {
					t.Fatalf("seed %d: a no about %s was lost: %+v", seed, a, all)
				}
			}
			if all.Yes(a) != nil && !slices.ContainsFunc(people, func(p *consent.Person) bool { return p.Yes(a) != nil }) {
				t.Fatalf("seed %d: a yes about %s came from nowhere", seed, a)
			}
		}
		flat := &consent.Person{Members: []consent.Member{{Subject: id.NewSubject(), Standing: all.Flat()}}}
		if got, want := says(flat), says(all); got != want {
			t.Fatalf("seed %d: flat it is %s, want %s: %+v", seed, got, want, all)
		}
		w := said(ads, consent.Given, "web/A", true, 100)
		all.Hear(&w)
		if all.No(ads) != nil || all.Yes(ads) == nil {
			t.Fatalf("seed %d: what they give after they are one doesn't count: %+v", seed, all)
		}
		out := said(mkt, consent.In, consent.API, true, 100)
		all.Hear(&out)
		if all.No(mkt) != nil {
			t.Fatalf("seed %d: what the tenant lifts after they are one stands: %+v", seed, all)
		}
	}
}

// TestActsCountWhateverTheirOrder: acts say when they were, so the order in which they come makes no
// difference to what they come to.
func TestActsCountWhateverTheirOrder(t *testing.T) {
	for seed := range uint64(20_000) {
		r := rand.New(rand.NewPCG(seed, 2))
		var words []consent.Word
		for range 2 + r.IntN(6) {
			w := random(r)
			w.Act = true
			words = append(words, w)
		}
		p := anew()
		hear(p, words...)
		for range 3 {
			r.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
			q := anew()
			hear(q, words...)
			if says(p) != says(q) {
				t.Fatalf("seed %d: %s or %s, by the order of %+v", seed, says(p), says(q), words)
			}
		}
	}
}

// TestANoIsNeverLostToWhatIsNoAct: with the words that are no act left out, nobody has consented to less.
func TestWhatIsNoActOnlyEverAllowsWhereNothingWasSaid(t *testing.T) {
	for seed := range uint64(20_000) {
		r := rand.New(rand.NewPCG(seed, 3))
		p := anew()
		for range r.IntN(8) {
			w := random(r)
			p.Hear(&w)
		}
		w := random(r)
		w.Act = false
		spoken := len(p.Abouts())
		no := p.No(w.About) != nil
		p.Hear(&w)
		if no && p.No(w.About) == nil {
			t.Fatalf("seed %d: %+v lifted a no (%d)", seed, w, spoken)
		}
	}
}
