package plane

import (
	"context"
	"slices"
	"strings"
	"time"

	"domicile.dev/internal/consent"
	"domicile.dev/internal/decision"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
)

// Again says that a consent has to be asked for again: it counts until the day before From.
type Again struct {
	Version string // of the notice, "v3"
	From    programme.Day
}

// AgainView is a consent of somebody's that has to be asked for again.
type AgainView struct {
	Subject id.Subject // the head
	Purpose string
	At      time.Time // when it was given
	Text    string    // version of the text that it names
	Again
	Counts bool // still, today
}

// AgainPage is a page of them, by subject.
type AgainPage struct {
	Consents []AgainView
	Next     id.Subject // where the next page begins, Nobody after the last
}

// ConsentCount is how many people's consents to a purpose stand as they were given.
type ConsentCount struct {
	Purpose  string
	Current  int64 // count, and nothing is to be asked
	ToAsk    int64 // count for now, and have to be asked for again
	Outdated int64 // don't count until the person says yes again
}

// spokePage is how many people are looked at in one snapshot.
const spokePage = 256

// mostAskedAgain bounds the people that one page of a list looks at, so that an answer comes in time where few
// have to be asked.
const mostAskedAgain = 64 * spokePage

// askings are what consents are measured by; nil while that isn't known.
func (p *Plane) askings() *register.Askings {
	if p.Askings == nil {
		return &register.Askings{}
	}
	return p.Askings()
}

// AskAgain lists the consents that have to be asked for again, of people after a subject, limit people at most.
// purpose narrows it to one; "" is all. A page may be short, and even empty, and have a next one.
//
// Faults: Unprocessable purpose.undeclared; Unavailable while what is published can't be read.
func (p *Plane) AskAgain(ctx context.Context, c *tenant.Caller, purpose string, after id.Subject, limit int) (page AgainPage, err error) {
	if purpose != "" && p.Purpose != nil && !p.Purpose(purpose) {
		return page, fault.New(fault.Unprocessable, "purpose.undeclared", "the programme declares no such purpose").WithHint("see the purposes in domicile programme show")
	}
	askings := p.askings()
	if askings == nil {
		return page, fault.New(fault.Unavailable, "notice.unread", "what is published can't be read at the moment")
	}
	if p.says == nil || len(askings.All) == 0 {
		return page, nil
	}
	today := programme.DayOf(p.now())
	terms := map[string]register.Terms{}
	for _, a := range askings.All {
		if purpose == "" || a.Purpose == purpose {
			terms[a.Purpose] = askings.Of(a.Purpose)
		}
	}
	found := 0
	for looked := 0; looked < mostAskedAgain; looked += spokePage {
		people, err := p.spoke(ctx, c.Tenant, after)
		if err != nil {
			return page, err
		}
		for i := range people {
			head := people[i].Members[0].Subject
			views := agains(&people[i], head, terms, today)
			if len(views) > 0 {
				if found == limit {
					page.Next = after
					return page, nil
				}
				found++
			}
			after = head
			page.Consents = append(page.Consents, views...)
		}
		if len(people) < spokePage {
			return page, nil
		}
	}
	page.Next = after
	return page, nil
}

// agains are the consents of a person that don't meet the terms.
func agains(who *consent.Person, head id.Subject, terms map[string]register.Terms, today programme.Day) (out []AgainView) {
	for _, a := range who.Abouts() {
		sort, purpose := a.Of()
		t, measured := terms[purpose]
		if sort != "consent" || !measured {
			continue
		}
		if g, ok := who.Agreed(a); ok {
			if x := t.Unmet(g.At, g.Text); x != nil {
				out = append(out, AgainView{Subject: head, Purpose: purpose, At: milli(g.At), Text: g.Text, Again: Again{x.Version, x.From}, Counts: today < x.From})
			}
		}
	}
	return out
}

// spoke loads the next people after a subject who said something, the head first of each.
func (p *Plane) spoke(ctx context.Context, tenant uint32, after id.Subject) (people []consent.Person, err error) {
	err = p.DB.View(ctx, func(tx store.Tx) error {
		var groups [][]id.Subject
		var heads []subject.Key
		at := map[id.Subject]int{}
		if err := p.Consents.Spoke(tx, tenant, after, spokePage, func(head id.Subject) {
			at[head] = len(groups)
			groups, heads = append(groups, []id.Subject{head}), append(heads, subject.Key{Tenant: tenant, Subject: head})
		}); err != nil || len(heads) == 0 {
			people = nil
			return err
		}
		if err := p.Subjects.Members(tx, heads, func(r subject.Row) {
			groups[at[r.Head]] = append(groups[at[r.Head]], r.Subject)
		}); err != nil {
			return err
		}
		people, err = p.says.People(tx, tenant, groups)
		return err
	})
	return people, err
}

// CountConsents counts the tenant's consents that stand, by purpose. It looks at everybody who ever said something, a
// page at a time, and rests between pages for longer than they took.
func (p *Plane) CountConsents(ctx context.Context, tenantNo uint32) (counts []ConsentCount, err error) {
	askings := p.askings()
	if askings == nil {
		return nil, fault.New(fault.Unavailable, "notice.unread", "what is published can't be read at the moment")
	}
	if p.says == nil {
		return nil, nil
	}
	today, terms := programme.DayOf(p.now()), map[string]register.Terms{}
	for _, a := range askings.All {
		terms[a.Purpose] = askings.Of(a.Purpose)
	}
	for after := (id.Subject{}); ; {
		begun := time.Now()
		people, err := p.spoke(ctx, tenantNo, after)
		if err != nil {
			return nil, err
		}
		for i := range people {
			after = people[i].Members[0].Subject
			counts = count(counts, &people[i], terms, today)
		}
		if len(people) < spokePage {
			slices.SortFunc(counts, func(a, b ConsentCount) int { return strings.Compare(a.Purpose, b.Purpose) })
			return counts, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(4 * time.Since(begun)):
		}
	}
}

// count adds what a person consents to.
func count(counts []ConsentCount, who *consent.Person, terms map[string]register.Terms, today programme.Day) []ConsentCount {
	var said decision.Subject
	who.Subject(&said)
	for _, c := range said.Consents {
		i := slices.IndexFunc(counts, func(n ConsentCount) bool { return n.Purpose == c.Purpose })
		if i < 0 {
			i = len(counts)
			counts = append(counts, ConsentCount{Purpose: c.Purpose})
		}
		t := terms[c.Purpose]
		switch x := t.Unmet(c.At, c.Text); {
		case x == nil:
			counts[i].Current++
		case today < x.From:
			counts[i].ToAsk++
		default:
			counts[i].Outdated++
		}
	}
	return counts
}

// again says whether the consent to a purpose has to be asked for again; nil when not, or while nobody knows.
func (p *Plane) again(who *consent.Person, a consent.About) *Again {
	askings := p.askings()
	if askings == nil {
		return nil
	}
	_, purpose := a.Of()
	t := askings.Of(purpose)
	if g, ok := who.Agreed(a); ok {
		if x := t.Unmet(g.At, g.Text); x != nil {
			return &Again{x.Version, x.From}
		}
	}
	return nil
}
