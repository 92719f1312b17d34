package decision

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	cedar "github.com/cedar-policy/cedar-go"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
)

// more returns a programme with a value put into a list of a recipient.
func more(text, recipient, key, value string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if !strings.HasPrefix(l, "  - {id: "+recipient+", ") {
			continue
		}
		if before, after, ok := strings.Cut(l, key+": ["); ok {
			if list, _, _ := strings.Cut(after, "]"); slices.Contains(strings.Split(list, ", "), value) {
				return text // it is there
			}
			lines[i] = before + key + ": [" + value + ", " + after
		} else {
			lines[i] = strings.TrimSuffix(l, "}") + ", " + key + ": [" + value + "]}"
		}
	}
	return strings.Join(lines, "\n")
}

// Another law, another place, another pair of eyes, another sub-processor: none of them allows more.
func TestMoreDestinationsAndLawsNeverAllowMore(t *testing.T) {
	text, less := base(t), map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		src, reg := randomText(t, text), randomRegister(t)
		who := of(t, "who", someRecipients)
		others := slices.DeleteFunc(slices.Clone(someRecipients), func(x string) bool { return x == who })
		e := New(loaded(t, src), builtin(), reg, nil)
		wider := map[string]*Engine{}
		for what, src := range map[string]string{
			"a place":         more(src, who, "locations", of(t, "place", someCountries)),
			"remote access":   more(src, who, "remote_access", of(t, "eyes", someCountries)),
			"a sub-processor": more(src, who, "onward", of(t, "sub-processor", others)),
		} {
			wider[what] = New(loaded(t, src), builtin(), reg, nil)
		}
		for range 6 {
			q := randomQuestion(t, e)
			before := e.Decide(&q, today)
			check := func(what string, after *Decision) {
				if rank(after) > rank(before) {
					t.Fatalf("%s of %s allows more: %+v\nbefore %s, after %s %+v", what, who, q, before.Form, after.Form, after.Legs)
				}
				if rank(after) < rank(before) {
					less[what]++
				}
			}
			for what, x := range wider {
				check(what, x.Decide(&q, today))
			}
			brings := q
			brings.Origins = NewSet(append(q.Origins.Words(), of(t, "origin", someCountries))...)
			check("an origin", e.Decide(&brings, today))
		}
	})
	if less["a sub-processor"] == 0 || less["an origin"] == 0 { // of the others one is met now and then only
		t.Errorf("nothing was taken away: %v", less)
	}
}

// known is a register with what is dated by today, and without what ends in somebody's favour: objections,
// pins, pauses and times to object that end.
func known(r *register.Register) *register.Register {
	by := programme.DayOf(today).Date()
	c := *r
	c.Announcements = nil
	c.Checks = slices.DeleteFunc(slices.Clone(r.Checks), func(x register.Check) bool { return x.Checked > by })
	c.Contracts = slices.DeleteFunc(slices.Clone(r.Contracts), func(x register.Contract) bool { return x.Signed > by })
	c.Assessments = slices.DeleteFunc(slices.Clone(r.Assessments), func(x register.Assessment) bool { return x.Assessed > by })
	c.Attestations = slices.DeleteFunc(slices.Clone(r.Attestations), func(x register.Attestation) bool { return x.Dated > by })
	c.Enablements = slices.DeleteFunc(slices.Clone(r.Enablements), func(x register.Enablement) bool { return x.From > by })
	c.Cases = slices.DeleteFunc(slices.Clone(r.Cases), func(x register.Case) bool { return x.From > by })
	c.Objections = slices.DeleteFunc(slices.Clone(r.Objections), func(x register.Objection) bool { return x.From > by || x.Until != "" })
	c.Pins = slices.DeleteFunc(slices.Clone(r.Pins), func(x register.Pin) bool { return x.From > by || x.Until != "" })
	c.Pauses = slices.DeleteFunc(slices.Clone(r.Pauses), func(x register.Pause) bool { return x.From > by || x.Until != "" })
	return &c
}

// A day that passes revives nothing, and until its review date a decision stands as it is.
func TestTimeTakesOnly(t *testing.T) {
	text, ended, reviewed := base(t), 0, 0
	rapid.Check(t, func(t *rapid.T) {
		p, reg := randomProgramme(t, text), known(randomRegister(t))
		for i := range p.Recipients {
			p.Recipients[i].Announced = "" // a time to object that ends allows more
		}
		e := New(p, builtin(), reg, nil)
		for range 8 {
			q := randomQuestion(t, e)
			last, first := e.Decide(&q, today), e.Decide(&q, today)
			days := rapid.SliceOfN(rapid.IntRange(1, 400), 1, 6).Draw(t, "days")
			if first.Allowed && first.Review != "" {
				left := int(programme.FirstDay(first.Review) - programme.DayOf(today))
				days = append(days, left-1, left)
			}
			slices.Sort(days)
			for _, n := range days {
				at := today.AddDate(0, 0, n)
				d := e.Decide(&q, at)
				if rank(d) > rank(last) {
					t.Fatalf("%+v: after %d days %s, before %s", q, n, d.Form, last.Form)
				}
				if rank(d) < rank(first) {
					ended++
				}
				if first.Allowed && (first.Review == "" || programme.DayOf(at).Date() < first.Review) {
					reviewed++
					if d.Form != first.Form || d.Mechanism != first.Mechanism || cmp.Diff(d.Obligations, first.Obligations) != "" || !sameWays(d.Legs, first.Legs) {
						t.Fatalf("%+v: reviewed on %s, and after %d days other: %s %+v, was %s %+v", q, first.Review, n, d.Form, d.Legs, first.Form, first.Legs)
					}
				}
				last = d
			}
		}
	})
	if ended == 0 || reviewed == 0 {
		t.Errorf("%d ended, %d reviewed", ended, reviewed)
	}
}

// sameWays compares what carries, and not what would carry next.
func sameWays(a, b []Leg) bool {
	return slices.EqualFunc(a, b, func(x, y Leg) bool {
		return x.Law == y.Law && x.Importer == y.Importer && x.Country == y.Country && x.Mechanism == y.Mechanism && x.Rule == y.Rule
	})
}

// Facts have dates, and no order: however they were noted, the answer is one. Pins are the exception, of which the
// last of a day counts, and so are announcements.
func TestTheOrderOfFactsIsNothing(t *testing.T) {
	text := base(t)
	rapid.Check(t, func(t *rapid.T) {
		p, reg := randomProgramme(t, text), randomRegister(t)
		other := *reg
		other.Checks = rapid.Permutation(reg.Checks).Draw(t, "checks")
		other.Contracts = rapid.Permutation(reg.Contracts).Draw(t, "contracts")
		other.Assessments = rapid.Permutation(reg.Assessments).Draw(t, "assessments")
		other.Attestations = rapid.Permutation(reg.Attestations).Draw(t, "attestations")
		other.Enablements = rapid.Permutation(reg.Enablements).Draw(t, "enablements")
		e, again := New(p, builtin(), reg, nil), New(p, builtin(), &other, nil)
		for range 8 {
			q := randomQuestion(t, e)
			a, b := e.Decide(&q, today), again.Decide(&q, today)
			if a.Form != b.Form || a.Review != b.Review || a.Mechanism != b.Mechanism || cmp.Diff(a.Legs, b.Legs) != "" || cmp.Diff(a.Obligations, b.Obligations) != "" {
				t.Fatalf("%+v\n%s %s %+v\n%s %s %+v", q, a.Form, a.Review, a.Obligations, b.Form, b.Review, b.Obligations)
			}
		}
	})
}

// What says no allows less: a failed look-up, a stop, an objection, a pause, a first pin.
func TestWhatSaysNoNeverAllowsMore(t *testing.T) {
	text, less := base(t), map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		p, reg := randomProgramme(t, text), randomRegister(t)
		day := programme.DayOf(today).Date()
		e := New(p, builtin(), reg, nil)
		entity := of(t, "of", someEntities)
		scheme, country := of(t, "scheme", []string{"apec_cbpr", "apec_prp", "global_cbpr", "global_prp"}), of(t, "country", someCountries[:6])
		tenant, recipient := of(t, "tenant", someTenants), of(t, "recipient", someRecipients)
		no := map[string]func(*register.Register){
			"failed look-ups": func(r *register.Register) {
				r.Checks = slices.Clone(r.Checks)
				for i := range 3 * len(someEntities) {
					row := []string{"eu-us", "uk-extension", "swiss-us"}[i%3]
					r.Checks = append(r.Checks, register.Check{Directory: "dpf", Entity: someEntities[i/3], Row: row, Status: "failed", Checked: day})
				}
			},
			"a certificate that isn't there": func(r *register.Register) {
				r.Checks = append(slices.Clone(r.Checks), register.Check{Directory: "cbpr", Entity: entity, Scheme: scheme, Status: "not_listed", Checked: day})
			},
			"stops": func(r *register.Register) {
				r.Assessments = slices.Clone(r.Assessments)
				for _, e := range someEntities {
					r.Assessments = append(r.Assessments, register.Assessment{Kind: "tia", Entity: e, Country: "US", Outcome: "stop", Assessed: day, Due: "2028-01-01"})
				}
			},
			"a failed test": func(r *register.Register) {
				r.Assessments = append(slices.Clone(r.Assessments), register.Assessment{Kind: "protection_test", Entity: entity, Country: country, Outcome: "stop", Assessed: day, Due: "2028-01-01"})
			},
			"an objection": func(r *register.Register) {
				r.Objections = append(slices.Clone(r.Objections), register.Objection{Tenant: tenant, Recipient: recipient, From: day})
			},
			"a pause": func(r *register.Register) {
				r.Pauses = append(slices.Clone(r.Pauses), register.Pause{Flow: "f0", Reason: "x", From: day})
			},
		}
		if len(reg.Pins) == 0 {
			no["a pin"] = func(r *register.Register) {
				r.Pins = []register.Pin{{Tenant: tenant, Places: []string{of(t, "pinned to", []string{"EU", "GB", "US"})}, From: day}}
			}
		}
		engines := map[string]*Engine{}
		for _, what := range slices.Sorted(maps.Keys(no)) {
			r := *reg
			no[what](&r)
			engines[what] = New(p, builtin(), &r, nil)
		}
		for range 6 {
			q := randomQuestion(t, e)
			before := e.Decide(&q, today)
			for what, x := range engines {
				after := x.Decide(&q, today)
				if rank(after) > rank(before) {
					t.Fatalf("%s: %+v\nbefore %s, after %s", what, q, before.Form, after.Form)
				}
				if rank(after) < rank(before) {
					less[what]++
				}
			}
		}
	})
	if less["an objection"] == 0 || less["a pause"] == 0 {
		t.Errorf("%v", less)
	}
}

// The compiled policies with the operator's own behind them, read as one text, say what the engine says. Only
// a policy that can't be judged is passed over by Cedar, where the engine denies.
func TestGoAndCedarAgreeOnTheOperatorsPolicies(t *testing.T) {
	text, forbade := base(t), 0
	rapid.Check(t, func(t *rapid.T) {
		p, reg := randomProgramme(t, text), randomRegister(t)
		fsys := randomPolicies(t)
		own, err := LoadPolicies(fsys)
		if err != nil {
			t.Fatal(err)
		}
		e := New(p, builtin(), reg, own)
		whole := Compile(p, builtin()) + "\n" + string(fsys["own.cedar"].Data)
		set, err := cedar.NewPolicySetFromBytes("all.cedar", []byte(whole))
		if err != nil {
			t.Fatalf("%v\n%s", err, whole)
		}
		for range 8 {
			q := randomQuestion(t, e)
			d := e.Decide(&q, today)
			if e.plans[q.Flow] == nil || d.Has("policy.unjudged") {
				continue
			}
			allowed, form := false, None
			f := e.Filled(q)
			s := e.see(programme.DayOf(today))
			w := &world{q: &f, day: s.Day, facts: s.Facts, laws: lawsOf(p, e.book, &f)}
			w.consents, w.unmet = e.plans[q.Flow].consent(&f.Subject)
			for w.form = f.Most; w.form < forms && !allowed; w.form++ {
				r := ask(p, e.plans[q.Flow], w, s)
				if answer, _ := cedar.Authorize(set, &r.entities, r.Request); answer == cedar.Allow {
					allowed, form = true, w.form
				}
			}
			if d.Allowed != allowed || d.Form != form {
				t.Fatalf("%+v\nGo: %v %s %+v\nCedar: %v %s\n%s", q, d.Allowed, d.Form, d.Reasons, allowed, form, fsys["own.cedar"].Data)
			}
			if d.Has("policy.forbids") {
				forbade++
			}
		}
	})
	if forbade == 0 {
		t.Error("no policy forbade anything")
	}
}

// What is drawn at random meets what there is: each kind of mechanism carries somewhere, and each code of a
// denial is seen that randomness can reach.
func TestRandomnessReachesEverything(t *testing.T) {
	text := base(t)
	carried, codes := map[string]int{}, map[string]int{}
	for seed := range 6000 {
		drawn := rapid.Custom(func(t *rapid.T) []*Decision {
			e := New(randomProgramme(t, text), builtin(), randomRegister(t), nil)
			var out []*Decision
			for range 6 {
				q := randomQuestion(t, e)
				out = append(out, e.Decide(&q, today))
			}
			return out
		}).Example(seed)
		for _, d := range drawn {
			for _, l := range d.Legs {
				carried[l.Mechanism]++
			}
			for _, r := range d.Reasons {
				codes[r.Code]++
			}
		}
		if seed%50 == 49 && enough(carried, codes) == "" {
			return
		}
	}
	t.Error(enough(carried, codes))
}

func enough(carried, codes map[string]int) (missing string) {
	for _, m := range append([]string{""}, mechanisms...) {
		if carried[m] == 0 {
			missing += fmt.Sprintf("nothing was carried by %q\n", m)
		}
	}
	for _, c := range strings.Fields(`flow.undeclared flow.other_region flow.paused form.of_no_use kind.undeclared category.undeclared category.unclassified category.none
		purpose.undeclared consent.missing recipient.not_of_flow recipient.role_undeclared place.not_a_country recipient.not_enabled recipient.objected recipient.unpublished notice.running
		contract.missing pin.outside subject.unknown subject.erased subject.suppressed subject.restricted subject.objects subject.opted_out law.manual_review law.localisation
		mechanism.none mechanism.other_law mechanism.other_destination mechanism.no_rule mechanism.expired adequacy.limit.missing dpf.listing.missing dpf.listing.negative dpf.listing.expired
		certificate.missing certificate.expired comparable.missing scc.missing scc.no_module addendum.missing protection_test.missing tia.missing tia.negative tia.expired
		tia.demands bcr.not_approved bcr.other_role bcr.exporter_not_bound bcr.importer_not_bound derogation.recurring derogation.onward fallback.none`) {
		if codes[c] == 0 {
			missing += c + " was never said\n"
		}
	}
	return missing
}
