package storetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"domicile.dev/internal/consent"
	"domicile.dev/internal/id"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/subject"
)

// testMany holds look-ups of many people against those of one at a time: the same rows in the same order,
// also for people who aren't there, who come twice, and who are of several tenants.
func testMany(t *testing.T, w *world) {
	const people = 40
	at := func(i int) id.Subject { return id.Subject{byte(i), 7, byte(i * 31)} }
	w.do(func(c sqlstore.Conn) error {
		for i := range people {
			s, head := at(i), at(i)
			if i%3 == 1 {
				head = at(i - 1)
			}
			for tenant := 1; tenant <= 2; tenant++ {
				if _, err := c.Exec(`INSERT INTO subject (tenant, subject, created_at, created_by, state, hold_until, head, key_epoch, wrapped) VALUES ($1, $2, $3, '', $4, 0, $5, 1, $6)`,
					tenant, s[:], i, i%4, head[:], []byte{byte(tenant), byte(i)}); err != nil {
					return err
				}
			}
			if i%4 == 0 {
				if err := (sqlstore.Subjects{}).PutNumbers(c, []subject.Number{{Key: subject.Key{Tenant: 1, Subject: s}, Countries: "IE,"}}); err != nil {
					return err
				}
			}
			if i%5 == 0 {
				if err := (sqlstore.Subjects{}).PutResidences(c, []subject.Residence{{Key: subject.Key{Tenant: 1, Subject: s}, Country: "DE", Source: "src_ie1_a", At: int64(i) + 1}}); err != nil {
					return err
				}
			}
			for n := range i % 3 {
				if err := (sqlstore.Consents{}).PutStandings(c, 1, []consent.Change{{Subject: s, Standing: consent.Standing{About: consent.Consent([]string{"a", "b"}[n]), YesAt: int64(i)}}}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	var order []int
	for i := range people + 5 { // the last aren't there
		order = append(order, (i*17)%(people+5))
	}
	order = append(order, 3, 3)
	w.view(func(c sqlstore.Conn) error {
		for _, several := range []bool{false, true} {
			keys := make([]subject.Key, len(order))
			words := make([]consent.Key, len(order))
			for n, i := range order {
				tenant := uint32(1)
				if several {
					tenant += uint32(n % 2)
				}
				keys[n], words[n] = subject.Key{Tenant: tenant, Subject: at(i)}, consent.Key{Tenant: tenant, Subject: at(i)}
			}
			for what, ask := range map[string]func(subject []subject.Key, each func(subject.Row)) error{
				"rows":    func(k []subject.Key, each func(subject.Row)) error { return sqlstore.Subjects{}.Rows(c, k, each) },
				"members": func(k []subject.Key, each func(subject.Row)) error { return sqlstore.Subjects{}.Members(c, k, each) },
			} {
				var together, single []subject.Row
				if err := ask(keys, func(r subject.Row) { together = append(together, r) }); err != nil {
					return err
				}
				for _, k := range keys {
					if err := ask([]subject.Key{k}, func(r subject.Row) { single = append(single, r) }); err != nil {
						return err
					}
				}
				if d := cmp.Diff(single, together); d != "" || len(single) == 0 {
					t.Errorf("%s, several tenants %v: %d rows, %s", what, several, len(single), d)
				}
			}
			type said struct {
				I  int
				S  consent.State
				No bool
				W  consent.Standing
			}
			var together, single []said
			hear := func(into *[]said, first int) func(int, consent.State, *consent.Standing) {
				return func(i int, s consent.State, w *consent.Standing) {
					x := said{I: first + i, S: s, No: w == nil}
					if w != nil {
						x.W = *w
					}
					*into = append(*into, x)
				}
			}
			if err := (sqlstore.Consents{}).StatesAndStandings(c, words, hear(&together, 0)); err != nil {
				return err
			}
			for n := range words {
				if err := (sqlstore.Consents{}).StatesAndStandings(c, words[n:n+1], hear(&single, n)); err != nil {
					return err
				}
			}
			if d := cmp.Diff(single, together); d != "" || len(single) == 0 {
				t.Errorf("what %d people say, several tenants %v: %s", len(single), several, d)
			}
		}
		return nil
	})
}
