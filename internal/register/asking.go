package register

import (
	"cmp"
	"slices"

	"domicile.dev/internal/programme"
)

// Asking says that the consents to a purpose have to be asked for again: a version of the notice changed
// what they were given for. It comes from what is published, and no file has it.
type Asking struct {
	Purpose string
	N       int           // of the version
	Version string        // its name, "v3"
	Since   int64         // Unix ms: a yes by then or later was said to the new text
	From    programme.Day // first day on which an older one doesn't count
}

// Askings are all of them, with the notices that a yes can name as what it was said to.
type Askings struct {
	All     []Asking
	Notices map[string]int // by id: the first version that has it
}

// With returns those of a and more.
func (a Askings) With(more Askings) Askings {
	out := Askings{All: slices.Concat(a.All, more.All), Notices: make(map[string]int, len(a.Notices)+len(more.Notices))}
	for _, x := range []Askings{a, more} {
		for id, n := range x.Notices {
			if was, ok := out.Notices[id]; !ok || n < was {
				out.Notices[id] = n
			}
		}
	}
	return out
}

// Of returns what there is about a purpose, by the day from which it counts.
func (a *Askings) Of(purpose string) Terms {
	t := Terms{notices: a.Notices}
	for _, x := range a.All {
		if x.Purpose == purpose {
			t.all = append(t.all, x)
		}
	}
	slices.SortFunc(t.all, func(x, y Asking) int { return cmp.Or(cmp.Compare(x.From, y.From), cmp.Compare(x.N, y.N)) })
	return t
}

// Terms are what a consent to one purpose is measured by.
type Terms struct {
	all     []Asking
	notices map[string]int
}

// Any says whether there is anything to measure by.
func (t *Terms) Any() bool { return len(t.all) > 0 }

// Unmet returns the first asking that a consent doesn't meet: it counts until the day before From. nil when it
// meets all. at is when the person said it, Unix ms; text is the version of the text that they named, or "".
func (t *Terms) Unmet(at int64, text string) *Asking {
	for i := range t.all {
		x := &t.all[i]
		if at >= x.Since {
			continue
		}
		if n, named := t.notices[text]; text == "" || !named || n < x.N {
			return x
		}
	}
	return nil
}
