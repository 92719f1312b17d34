package plane_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/subject"
)

func TestADamagedRowKeepsOnlyItsOwnRemains(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		const people, hurt = 13, 5
		var all []id.Subject
		for i := range people {
			u := fmt.Sprint("u", i)
			w.send(w.src, "/v1/track", track(u, "m-"+u, "Paid")) // a commit group, and so a row, of its own
			all = append(all, w.find("user_id", u))
		}
		exec := func(sql string, args ...any) {
			t.Helper()
			if err := w.db.Do(context.Background(), func(tx store.Tx) error {
				n, err := tx.(sqlstore.Conn).Exec(sql, args...)
				if err == nil && n != 1 {
					err = fmt.Errorf("%d rows, want 1", n)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		exec(`UPDATE record_row SET body = $1 WHERE tenant = 1 AND pos = (SELECT min(pos) + $2 FROM record_row WHERE tenant = 1)`, []byte{0xff, 1}, hurt)
		for _, s := range all {
			w.erase(s)
		}
		w.restart() // nothing is cached
		if err := w.SweepOnce(context.Background(), w.now.Add(time.Hour)); err == nil {
			t.Error("what can't be cleared is not reported")
		}
		var left []id.Subject
		if err := w.db.View(context.Background(), func(tx store.Tx) error {
			return sqlstore.Subjects{}.Uncompacted(tx, w.now.Add(time.Hour).UnixMilli(), 100, func(t subject.Tomb) { left = append(left, t.Subject) })
		}); err != nil {
			t.Fatal(err)
		}
		if len(left) != 1 || left[0] != all[hurt] {
			t.Errorf("%d people's remains are left, want those of one", len(left))
		}
	})
}
