package consent_test

import (
	"testing"

	"domicile.dev/internal/consent"
	"domicile.dev/internal/id"
)

func named(w consent.Word, text string) consent.Word { w.Text = text; return w }

func TestSinceWhenAPersonConsents(t *testing.T) {
	const no = -1
	yes := func(channel string, act bool, at int64, text string) consent.Word {
		return named(said(ads, consent.Given, channel, act, at), text)
	}
	refused := func(channel string, act bool, at int64, text string) consent.Word {
		return named(said(ads, consent.Refused, channel, act, at), text)
	}
	for _, tt := range []struct {
		name  string
		words []consent.Word
		at    int64
		text  string
	}{
		{"nothing was said", nil, no, ""},
		{"an act", []consent.Word{yes("web/A", true, 3, "")}, 3, ""},
		{"a newer act", []consent.Word{yes("web/A", true, 3, "old"), yes("app/A", true, 5, "")}, 5, ""},
		{"an older one that comes late", []consent.Word{yes("web/A", true, 5, "new"), yes("app/A", true, 3, "old")}, 5, "new"},
		{"what repeats it makes it no newer", []consent.Word{yes("web/A", true, 3, "old"), yes("web/A", false, 9, ""), yes("app/A", false, 9, "new")}, 3, "old"},
		{"first heard from an SDK", []consent.Word{yes("web/A", false, 3, ""), yes("web/A", false, 9, ""), yes("app/A", false, 9, "")}, 3, ""},
		{"an act after what was repeated", []consent.Word{yes("web/A", false, 3, ""), yes("web/A", true, 9, "")}, 9, ""},
		{"an act before it", []consent.Word{yes("web/A", true, 2, ""), yes("web/A", false, 3, "")}, 2, ""},
		{"refused", []consent.Word{yes("web/A", true, 3, ""), refused("web/A", true, 4, "")}, no, ""},
		{"given anew", []consent.Word{refused("web/A", true, 4, "old"), yes("web/A", true, 5, "new")}, 5, "new"},
		{"the text of an older no that comes late is not the yes's", []consent.Word{yes(consent.API, true, 5, "old"), refused(consent.API, true, 4, "new")}, 5, "old"},
		{"withdrawn and given to no text", []consent.Word{yes("web/A", true, 2, "new"), refused("app/A", true, 3, ""), yes("app/A", true, 5, "")}, 5, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := anew()
			hear(p, tt.words...)
			g, ok := p.Agreed(ads)
			if ok != (tt.at != no) || ok && (g.At != base+tt.at || g.Text != tt.text) {
				t.Errorf("%+v %v, want %d %q; standing %+v", consent.Agreed{At: g.At - base, Text: g.Text}, ok, tt.at, tt.text, p.Members[0].Standing)
			}
		})
	}
}

// When two people turn out to be one, an act of either counts and what an SDK repeats of the other doesn't.
func TestSinceWhenTwoWhoAreOneConsent(t *testing.T) {
	standing := func(yes, told int64) consent.Member {
		return consent.Member{Subject: id.NewSubject(), Standing: []consent.Standing{{About: ads, Channel: "web/A", YesAt: yes, ToldAt: told}}}
	}
	for _, tt := range []struct {
		members []consent.Member
		want    int64
	}{
		{[]consent.Member{standing(3, 0), standing(0, 9)}, 3}, {[]consent.Member{standing(0, 9), standing(3, 0)}, 3},
		{[]consent.Member{standing(3, 0), standing(7, 1)}, 7}, {[]consent.Member{standing(0, 9), standing(0, 4)}, 4},
	} {
		p := consent.Person{Members: tt.members}
		if g, ok := p.Agreed(ads); !ok || g.At != tt.want {
			t.Errorf("%+v: %+v %v, want %d", tt.members, g, ok, tt.want)
		}
	}
}
