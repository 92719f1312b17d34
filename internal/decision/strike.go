package decision

import (
	"cmp"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/law"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
)

// NewWithout is New with mechanisms of the programme or rules of a law struck.
//
// Faults: Invalid for a word that is neither.
func NewWithout(p *programme.Programme, book *law.Book, reg *register.Register, policies *Policies, without []string) (*Engine, error) {
	var ids, mechanisms []string
	for _, w := range without {
		if p.Mechanism(w) != nil {
			mechanisms = append(mechanisms, w)
		} else {
			ids = append(ids, w)
		}
	}
	if len(ids) > 0 {
		struck, unknown := book.Without(ids...)
		if len(unknown) > 0 {
			return nil, fault.New(fault.Invalid, "plan.unknown_mechanism", "%s is no mechanism of the programme and no rule of a law", unknown[0]).
				WithHint(cmp.Or(programme.DidYouMean(unknown[0], strikable(p, book)), "domicile programme compile names the rules; eu-us-dpf is one"))
		}
		book = struck
	}
	return New(p, book, reg, policies, mechanisms...), nil
}

// strikable are the ids of the programme's mechanisms and the laws' rules.
func strikable(p *programme.Programme, book *law.Book) (ids []string) {
	for i := range p.Mechanisms {
		ids = append(ids, p.Mechanisms[i].ID)
	}
	for _, l := range book.Profiles() {
		for i := range l.Rules {
			ids = append(ids, l.Rules[i].ID)
		}
	}
	return ids
}

// MaxAge returns how many days a look-up of a key of the register is good for by a book, 0 for any
// number: the fewest that a rule gives that rests on it.
func MaxAge(book *law.Book) func(key string) int {
	days := map[string]int{}
	least := func(prefix string, n int) {
		if old := days[prefix]; n > 0 && (old == 0 || n < old) {
			days[prefix] = n
		}
	}
	for _, profile := range book.Profiles() {
		for i := range profile.Rules {
			r := &profile.Rules[i]
			switch r.Kind {
			case law.DPF:
				for _, row := range []string{r.Row, r.BaseRow} {
					least("dpf/"+row, r.CheckDays)
				}
			case law.CBPR:
				for _, s := range r.Schemes {
					least("certificate/"+s, r.CheckDays)
				}
			}
		}
	}
	return func(key string) int {
		slashes := 0
		for i := range key {
			if key[i] == '/' {
				if slashes++; slashes == 2 {
					return days[key[:i]]
				}
			}
		}
		return 0
	}
}
