package consent

import (
	"fmt"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/id"
	"domicile.dev/internal/residency"
	"domicile.dev/internal/store"
)

// bringing is whose law people bring, while it is read.
type bringing struct {
	rows     [][]residency.Origins // by person
	bad      map[int]bool          // people of whom an identifier doesn't open
	unlooked []id.Subject
	where    [][2]int // of each of unlooked: the person, and the row of theirs
	seen     map[[2]string]decision.Set
}

func newBringing(people int) *bringing {
	return &bringing{rows: make([][]residency.Origins, people), seen: map[[2]string]decision.Set{}}
}

// add notes a subject's row of person p. Most have nothing, and cost nothing.
func (b *bringing) add(p int, s id.Subject, o *residency.Origins) {
	if o.Unlooked {
		b.unlooked = append(b.unlooked, s)
		b.where = append(b.where, [2]int{p, len(b.rows[p])})
	} else if o.Numbers == "" && o.Residence == "" {
		return
	}
	b.rows[p] = append(b.rows[p], *o)
}

// look fills in what nobody looked at before.
func (b *bringing) look(s *Service, tx store.Tx, tenant uint32) error {
	if len(b.unlooked) == 0 {
		return nil
	}
	countries, ok := make([]string, len(b.unlooked)), make([]bool, len(b.unlooked))
	if s.Numbers != nil {
		var err error
		if countries, ok, err = s.Numbers(tx, tenant, b.unlooked); err != nil {
			return fmt.Errorf("look at numbers: %w", err)
		}
	}
	for i, at := range b.where {
		if !ok[i] {
			if b.bad == nil {
				b.bad = map[int]bool{}
			}
			b.bad[at[0]] = true
		}
		b.rows[at[0]][at[1]].Numbers = countries[i]
	}
	return nil
}

// of returns what person p brings; known is false when that can't be told, which denies.
func (b *bringing) of(p int) (origins decision.Set, known bool) {
	rows := b.rows[p]
	if b.bad[p] {
		return "", false
	}
	if len(rows) != 1 {
		return decision.Brought(residency.Of(rows)), true
	}
	key := [2]string{rows[0].Numbers, rows[0].Residence}
	origins, met := b.seen[key]
	if !met {
		origins = decision.Brought(residency.Of(rows))
		b.seen[key] = origins
	}
	return origins, true
}
