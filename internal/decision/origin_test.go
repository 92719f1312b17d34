package decision

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"

	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
	"domicile.dev/internal/residency"
)

func lives(country string) residency.Origin {
	return residency.Origin{Country: country, By: residency.ByResidence}
}
func calls(country string) residency.Origin {
	return residency.Origin{Country: country, By: residency.ByPhoneCountry}
}

// counting is the base programme that goes by the signals given; none keeps what it says.
func counting(t *testing.T, signals string) *programme.Programme {
	t.Helper()
	text := base(t)
	if signals != "" {
		text += "person_origins: " + signals + "\n"
	}
	p, err := programme.Load(fstest.MapFS{"p.yaml": {Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestThePersonsLawsAreAsked(t *testing.T) {
	src, err := os.ReadFile("testdata/base/base.register.yaml")
	if err != nil {
		t.Fatal(err)
	}
	reg, err := register.Parse("r.register.yaml", src)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, signals string
		brings        []residency.Origin
		laws          []string
		code          string // of a denial; "" is allowed
		says          string // in a reason
	}{
		{"nothing is known", "", nil, []string{"eu"}, "", ""},
		{"where they live", "", []residency.Origin{lives("GB")}, []string{"eu", "gb"}, "", "the law of GB, which they declared as their residence: gb"},
		{"their number", "", []residency.Origin{calls("SG")}, []string{"eu", "sg"}, "mechanism.none", "the law of SG, which their phone number belongs to: sg"},
		{"both", "", []residency.Origin{lives("DE"), calls("GB")}, []string{"eu", "gb"}, "", ""},
		{"no profile", "", []residency.Origin{lives("IN")}, []string{"?IN", "eu"}, "law.manual_review", "there is no profile for the law of IN, the person's country, which they declared as their residence"},
		{"no profile for one of two numbers", "", []residency.Origin{calls("IE"), calls("IN")}, []string{"?IN", "eu"}, "law.manual_review", "IN, the person's country, which their phone number belongs to"},
		{"numbers don't count", "[residence]", []residency.Origin{lives("IE"), calls("IN")}, []string{"eu"}, "", ""},
		{"residence doesn't count", "[phone_country]", []residency.Origin{lives("IN"), calls("GB")}, []string{"eu", "gb"}, "", ""},
		{"nothing counts", "[none]", []residency.Origin{lives("IN"), calls("IN")}, []string{"eu"}, "", ""},
		{"both count when both are named", "[phone_country, residence]", []residency.Origin{lives("GB"), calls("IN")}, []string{"?IN", "eu", "gb"}, "law.manual_review", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := New(counting(t, tt.signals), builtin(), reg, nil)
			q := Question{Flow: "home", Tenant: "acme", Service: "messaging", Kind: "message", Categories: e.CategoriesFor("home", "messaging", "message"),
				Subject: Subject{Known: true, Origins: Brought(tt.brings)}}
			d := e.Decide(&q, today)
			if !slices.Equal(d.Laws, tt.laws) {
				t.Errorf("asked %v, want %v", d.Laws, tt.laws)
			}
			if tt.code == "" != (d.Allowed && d.Form == Clear) || tt.code != "" && !d.Has(tt.code) {
				t.Errorf("allowed %v %s, want %q: %+v", d.Allowed, d.Form, tt.code, d.Reasons)
			}
			if d.HaltsFlow() {
				t.Errorf("one person's law halts the flow: %s", d.Scope)
			}
			if !slices.ContainsFunc(d.Reasons, func(r Reason) bool { return strings.Contains(r.Says, tt.says) && (tt.says == "" || r.Policy != "") }) {
				t.Errorf("no reason says %q: %+v", tt.says, d.Reasons)
			}
		})
	}
}

// Whatever else holds, one more country never allows more: not by what tells it, nor by whoever asks.
func TestAnOriginNeverAllowsMore(t *testing.T) {
	text, less := base(t), 0
	rapid.Check(t, func(t *rapid.T) {
		p := randomProgramme(t, text)
		e := New(p, builtin(), randomRegister(t), nil)
		for range 8 {
			q := randomQuestion(t, e)
			before := e.Decide(&q, today)
			more := q
			country := of(t, "another country", append([]string{"IN"}, someCountries...))
			switch of(t, "how", []string{"asked", "residence", "number"}) {
			case "asked":
				more.Origins = NewSet(append(q.Origins.Words(), country)...)
			case "residence":
				more.Subject.Origins = NewSet(append(q.Subject.Origins.Words(), country+"=residence")...)
			default:
				more.Subject.Origins = NewSet(append(q.Subject.Origins.Words(), country+"=phone_country")...)
			}
			after := e.Decide(&more, today)
			if rank(after) > rank(before) {
				t.Fatalf("%s more: %+v\nbefore %v %s\nafter %v %s %+v", country, more, before.Allowed, before.Form, after.Allowed, after.Form, after.Reasons)
			}
			if rank(after) < rank(before) {
				less++
			}
		}
	})
	if less == 0 {
		t.Error("no origin took anything away")
	}
}

// One record about two people leaves as both of their decisions let it.
func TestBothDecisionsHold(t *testing.T) {
	text := base(t)
	rapid.Check(t, func(t *rapid.T) {
		e := New(randomProgramme(t, text), builtin(), randomRegister(t), nil)
		q := randomQuestion(t, e)
		other := q
		other.Subject.Origins = Brought([]residency.Origin{calls(of(t, "country", someCountries))})
		a, b := e.Decide(&q, today), e.Decide(&other, today)
		if !a.Allowed || !b.Allowed {
			return
		}
		for _, d := range []*Decision{Both(a, b), Both(b, a)} {
			if d.Form != max(a.Form, b.Form) {
				t.Fatalf("%s and %s make %s", a.Form, b.Form, d.Form)
			}
			for _, of := range []*Decision{a, b} {
				for _, o := range of.Obligations {
					i := slices.IndexFunc(d.Obligations, func(x Obligation) bool { return x.Do == o.Do && x.Least >= o.Least })
					if i < 0 || o.Do == "drop" && slices.ContainsFunc(o.What, func(w string) bool { return !slices.Contains(d.Obligations[i].What, w) }) ||
						o.Do == "minimum_tls" && d.Obligations[i].What[0] < o.What[0] {
						t.Fatalf("%+v is lost: %+v", o, d.Obligations)
					}
				}
				if of.Review != "" && (d.Review == "" || d.Review > of.Review) {
					t.Fatalf("the review %s is after %s", d.Review, of.Review)
				}
			}
		}
	})
}
