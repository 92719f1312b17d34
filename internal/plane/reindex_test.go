package plane_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/store/storetest"
	"domicile.dev/internal/store/storetest/pgtest"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/vault"
)

// known are identifiers of every sort: of people added, merged, claimed, shared, erased and suppressed.
var known = []plane.Identifier{{Type: "user_id", Value: "u1"}, {Type: "email", Value: "a@example.com"}, {Type: "user_id", Value: "u2"},
	{Type: "anonymous_id", Value: "n2"}, {Type: "user_id", Value: "u3"}, {Type: "user_id", Value: "u4"}, {Type: "email", Value: "shared@example.com"},
	{Type: "anonymous_id", Value: "n5"}, {Type: "email", Value: "claimed@example.com"}, {Type: "email", Value: "twice@example.com"},
	{Type: "anonymous_id", Value: "n6"}, {Type: "user_id", Value: "gone"}, {Type: "email", Value: "gone@example.com"}, {Type: "user_id", Value: "barred"},
	{Type: "phone", Value: "+353851234567"}}

const retried = `{"userId":"u1","messageId":"i1","traits":{"email":"a@example.com","phone":"+353 85 123 4567"}}`

// populate brings them.
func (w *world) populate() {
	w.send(w.src, "/v1/identify", retried)
	w.send(w.src, "/v1/track", `{"anonymousId":"n2","messageId":"t2","event":"Viewed"}`)
	w.send(w.src, "/v1/track", track("u2", "t3", "Paid"))
	w.send(w.src, "/v1/alias", `{"userId":"u2","previousId":"n2","messageId":"al2"}`)
	for _, u := range []string{"u3", "u4"} { // one address, two user ids, and records known only by it
		w.send(w.src, "/v1/identify", `{"userId":"`+u+`","messageId":"i`+u+`","traits":{"email":"shared@example.com"}}`)
	}
	w.send(w.web, "/v1/identify", `{"anonymousId":"n5","messageId":"c5","traits":{"email":"claimed@example.com"}}`)
	w.send(w.web, "/v1/identify", `{"anonymousId":"n6","messageId":"c6","traits":{"email":"twice@example.com"}}`)
	w.send(w.web, "/v1/identify", `{"anonymousId":"n7","messageId":"c7","traits":{"email":"twice@example.com"}}`)
	w.send(w.src, "/v1/identify", `{"userId":"gone","messageId":"ig","traits":{"email":"gone@example.com"}}`)
	w.erase(w.find("user_id", "gone"))
	w.send(w.src, "/v1/track", track("barred", "ib", "Paid"))
	if _, err := w.Erase(context.Background(), w.caller, w.find("user_id", "barred"), plane.EraseRequest{Suppress: true}); err != nil {
		w.t.Fatal(err)
	}
}

// whoIsWho is what every known identifier is answered with, and what is shown of everybody found.
func (w *world) whoIsWho() (all []string) {
	w.t.Helper()
	for _, i := range known {
		r, err := w.Find(context.Background(), w.caller, []plane.Identifier{i})
		line := fmt.Sprintf("%s %s: %v %v %s", i.Type, i.Value, r.Subject, r.Claimed, fault.ReasonOf(err))
		if f, ok := fault.As(err); ok {
			line += fmt.Sprint(f.Extra)
		} else if v, err := w.Subject(context.Background(), w.caller, r.Subject); err != nil {
			line += err.Error()
		} else {
			var idents []string
			for _, x := range v.Identifiers {
				idents = append(idents, fmt.Sprint(x))
			}
			slices.Sort(idents)
			line += fmt.Sprint(v.Members, idents)
		}
		all = append(all, line)
	}
	return all
}

func (w *world) sameAs(t testing.TB, when string, want []string) {
	t.Helper()
	for i, got := range w.whoIsWho() {
		if got != want[i] {
			t.Errorf("%s: got %s\nwant %s", when, got, want[i])
		}
	}
}

// rotate begins a rotation of the index key and brings it to its end.
func (w *world) rotate() error {
	if _, _, err := w.RotateIndex(context.Background(), tenant.Operator); err != nil {
		return err
	}
	return w.ReindexOnce(context.Background())
}

// query reads the first column of a statement.
func (w *world) query(sql string, args ...any) (all []string) {
	w.t.Helper()
	if err := w.db.View(context.Background(), func(tx store.Tx) error {
		return tx.(sqlstore.Conn).Query(sql, func(r sqlstore.Row) error { all = append(all, r.Text(0)); return nil }, args...)
	}); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
	return all
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if err := w.db.Do(context.Background(), func(tx store.Tx) error { _, err := tx.(sqlstore.Conn).Exec(sql, args...); return err }); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
}

// mustHaveRotated says whether from's successor is in force alone and nothing is keyed by from.
func (w *world) mustHaveRotated(t testing.TB, from uint32, old *vault.Blinder) {
	t.Helper()
	v, err := w.Keys(context.Background(), tenant.Operator)
	if err != nil || v.Rotating || v.Left != 0 || len(v.Index) != int(from)+1 || v.Index[from-1].EndedAt.IsZero() || !v.Index[from].RetiredAt.IsZero() {
		t.Fatalf("the index key's state is %+v, %v", v, err)
	}
	if n := w.query(`SELECT CAST(count(*) AS text) FROM identifier WHERE key_version <> $1`, from+1); n[0] != "0" {
		t.Errorf("%s identifiers are not under version %d", n[0], from+1)
	}
	digests := make([]any, len(known))
	for i, k := range known {
		value, _ := subject.Canonical(k.Type, []byte(k.Value))
		d := old.Identifier(k.Type, value)
		digests[i] = d[:]
	}
	for _, c := range w.blobs() {
		table, column, _ := strings.Cut(c, ".")
		var found []string
		for i := range digests {
			if w.url == "" {
				found = append(found, fmt.Sprintf("instr(%s, $%d) > 0", column, i+1))
			} else {
				found = append(found, fmt.Sprintf("position($%d in %s) > 0", i+1, column))
			}
		}
		if n := w.query(`SELECT CAST(count(*) AS text) FROM `+table+` WHERE `+strings.Join(found, " OR "), digests...); n[0] != "0" {
			t.Errorf("%s is still keyed by version %d", c, from)
		}
	}
	if _, err := os.Stat(filepath.Join(w.dir, "keyring", fmt.Sprintf("index-%d.key", from))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the keyring still has version %d: %v", from, err)
	}
	for kind, want := range map[string]string{"keys.rotating": fmt.Sprintf(`"body":{"from":%d,"key":"index","to":%d}`, from, from+1),
		"keys.rotated": fmt.Sprintf(`{"destroyed":true,"from":%d,"identifiers":%d,"key":"index","to":%d}`, from, v.Index[from].Moved, from+1)} {
		list := w.query(`SELECT `+w.text("entry")+` FROM ledger_entry WHERE tenant = '' AND kind = $1 ORDER BY leaf`, kind)
		if len(list) != int(from) || !strings.Contains(list[from-1], want) {
			t.Errorf("%s was entered as %q, want %d entries, the last with %s", kind, list, from, want)
		}
	}
}

// text is how a column of bytes is read as text.
func (w *world) text(column string) string {
	if w.url != "" {
		return "convert_from(" + column + ", 'UTF8')"
	}
	return "CAST(" + column + " AS text)"
}

// blobs are all columns of bytes in the store, "table.column".
func (w *world) blobs() []string {
	if w.url != "" {
		return w.query(`SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = current_schema() AND data_type = 'bytea'`)
	}
	return w.query(`SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND c.type = 'bytea'`)
}

// between lets a test in after every write transaction, one at a time.
type between struct {
	store.DB
	busy atomic.Bool
	do   func()
}

func (b *between) Do(ctx context.Context, fn func(store.Tx) error) error {
	err := b.DB.Do(ctx, fn)
	if b.do != nil && b.busy.CompareAndSwap(false, true) {
		b.do()
		b.busy.Store(false)
	}
	return err
}

func TestTheIndexKeyIsRotatedWhileEverythingGoesOn(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.populate()
		w.close()
		w.page = 3
		var b *between
		w.open(func(db store.DB) store.DB { b = &between{DB: db}; return b })
		want := w.whoIsWho()
		pages := 0
		b.do = func() {
			pages++
			when := fmt.Sprintf("after write %d", pages)
			w.sameAs(t, when, want)
			if r := w.send(w.src, "/v1/identify", retried); r.Duplicate != 1 {
				t.Errorf("%s: a retry: %+v", when, r)
			}
			if r := w.send(w.src, "/v1/track", track("barred", fmt.Sprint("b", pages), "Back")); len(r.Refused) != 1 {
				t.Errorf("%s: somebody suppressed: %+v", when, r)
			}
			if r := w.send(w.src, "/v1/track", track("u1", fmt.Sprint("m", pages), "Paid")); r.Accepted != 1 {
				t.Errorf("%s: %+v", when, r)
			}
			user, mail := fmt.Sprint("new", pages), fmt.Sprintf("new%d@example.com", pages)
			w.send(w.src, "/v1/identify", fmt.Sprintf(`{"userId":%q,"messageId":"j%d","traits":{"email":%q}}`, user, pages, mail))
			if s := w.find("user_id", user); s != w.find("email", mail) {
				t.Errorf("%s: the new person is two", when)
			}
			if pages%2 == 0 {
				w.erase(w.find("email", fmt.Sprintf("new%d@example.com", pages-1))) // under either version by now
			}
		}
		old := w.vault.IndexKeys().Blinder("acme")
		for from := range uint32(2) {
			if err := w.rotate(); err != nil {
				t.Fatal(err)
			}
			w.mustHaveRotated(t, from+1, old)
			old = w.vault.IndexKeys().Blinder("acme")
		}
		if pages < 12 {
			t.Errorf("%d writes were seen", pages)
		}
		b.do = nil
		n := len(w.records(w.find("user_id", "u1")))
		w.restart()
		w.sameAs(t, "after a restart", want)
		for i := range pages {
			_, err := w.Find(context.Background(), w.caller, []plane.Identifier{{Type: "email", Value: fmt.Sprintf("new%d@example.com", i+1)}})
			if erased := i%2 == 0 && i+1 < pages; erased != (err != nil) {
				t.Errorf("person %d, erased %v: %v", i+1, erased, err)
			}
		}
		if got := len(w.records(w.find("user_id", "u1"))); got != n {
			t.Errorf("%d records after a restart, want %d", got, n)
		}
	})
}

// TestARotationGoesOnWhateverWriteFails stops rotations, one after the other, each at a later write,
// and goes on with the same node or another process.
func TestARotationGoesOnWhateverWriteFails(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		for _, when := range []storetest.When{storetest.Before, storetest.After} {
			t.Run(engine+"/"+string(when), func(t *testing.T) {
				t.Parallel() // they mostly wait for the disk
				url := ""
				if engine == "postgres" {
					url = pgtest.URL(t)
				}
				w := newWorld(t, url)
				w.populate()
				w.page = 6
				want := w.whoIsWho()
				step := 1
				for w.stopRotation(t, step, when, want) {
					step++
				}
				if step < 15 {
					t.Errorf("only %d writes were seen", step-1)
				}
			})
		}
	}
}

// stopRotation stops the rotation of version step at that write, and says whether there was such a one.
func (w *world) stopRotation(t *testing.T, step int, when storetest.When, want []string) bool {
	held := len(w.query(`SELECT type FROM identifier`))
	old := w.vault.IndexKeys().Blinder("acme")
	w.close()
	w.now = w.now.Add(3 * time.Minute) // past the lease of the process before
	var f *storetest.Faults
	w.open(func(db store.DB) store.DB { f = storetest.NewFaults(db); return f })
	f.FailAt(step, when)
	err := w.rotate()
	fired := f.Fired()
	f.FailAt(0, when) // from here on everything works
	v, _ := w.Keys(context.Background(), tenant.Operator)
	if !fired && err != nil || fired && err == nil && v.Rotating {
		t.Fatalf("write %d: %v", step, err)
	}
	w.sameAs(t, "cut short", want)
	if r := w.send(w.src, "/v1/identify", retried); r.Duplicate != 1 {
		t.Errorf("write %d: a retry: %+v", step, r)
	}
	if fired && step%2 == 0 { // another process takes over
		w.restart()
		w.now = w.now.Add(3 * time.Minute)
		w.sameAs(t, "restarted", want)
	}
	if len(v.Index) == step { // it had not begun
		if err := w.rotate(); err != nil {
			t.Fatalf("write %d: begun anew: %v", step, err)
		}
	} else if err := w.ReindexOnce(context.Background()); err != nil {
		t.Fatalf("write %d: second try: %v", step, err)
	}
	w.mustHaveRotated(t, uint32(step), old)
	if v, _ := w.Keys(context.Background(), tenant.Operator); v.Index[step].Moved != int64(held) {
		t.Errorf("write %d: %d identifiers were counted, want %d", step, v.Index[step].Moved, held)
	}
	w.sameAs(t, "at its end", want)
	return fired
}

func TestTheOtherNodeWritesUnderTheNewVersionAtOnce(t *testing.T) {
	a := newWorld(t, pgtest.URL(t))
	a.populate()
	a.page = 4
	want := a.whoIsWho()
	b := a.second()
	old := a.vault.IndexKeys().Blinder("acme")
	if _, begun, err := a.RotateIndex(context.Background(), tenant.Operator); err != nil || !begun {
		t.Fatal(begun, err)
	}
	if _, begun, err := b.RotateIndex(context.Background(), tenant.Operator); err != nil || begun {
		t.Errorf("a second rotation was begun: %v, %v", begun, err)
	}
	c := a.second() // knows of it from the start
	b.sameAs(t, "the other node", want)
	b.send(b.src, "/v1/identify", `{"userId":"late","messageId":"l1","traits":{"email":"late@example.com"}}`)
	if n := a.query(`SELECT type FROM identifier WHERE key_version = 2`); len(n) != 2 {
		t.Errorf("%d identifiers under the new version, want the 2 new ones", len(n))
	}
	if err := a.ReindexOnce(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, n := range []*world{b, c} { // neither has looked since
		n.sameAs(t, "after the end", want)
		if n.find("email", "late@example.com") != n.find("user_id", "late") {
			t.Error("the person who came meanwhile is two")
		}
		n.mustHaveRotated(t, 1, old)
		if x := n.vault.IndexKeys(); x.From != 2 || x.Rotating() {
			t.Errorf("a node still knows the old version: %d to %d", x.From, x.To)
		}
	}
	a.erase(a.find("email", "late@example.com"))
	_, err := b.Find(context.Background(), b.caller, []plane.Identifier{{Type: "user_id", Value: "late"}})
	wantKind(t, "find on the other node", err, fault.NotFound, "subject.unknown")
}

// TestARequestBlindedBeforeTheRotationIsBlindedAnew: the request was read and blinded when another
// node began, and is committed after.
func TestARequestBlindedBeforeTheRotationIsBlindedAnew(t *testing.T) {
	a := newWorld(t, pgtest.URL(t))
	b := a.second()
	a.populate()
	want := a.whoIsWho()
	old := a.vault.IndexKeys().Blinder("acme")
	if b.vault.IndexKeys().To != 1 {
		t.Fatal("nothing is left to learn")
	}
	if err := a.rotate(); err != nil {
		t.Fatal(err)
	}
	if b.vault.IndexKeys().To != 1 {
		t.Fatal("the other node looked before its write")
	}
	// Somebody known, by an identifier that isn't cached, a join, and somebody new.
	b.send(b.src, "/v1/track", track("u2", "x1", "Paid"))
	b.send(b.src, "/v1/identify", `{"userId":"u9","messageId":"x2","traits":{"email":"nine@example.com"}}`)
	b.mustHaveRotated(t, 1, old)
	b.sameAs(t, "on the node that was late", want)
	if n := len(a.records(a.find("user_id", "u2"))); n != 4 {
		t.Errorf("%d records of who was known, want 4", n)
	}
	if a.find("email", "nine@example.com") != a.find("user_id", "u9") {
		t.Error("the new person is two")
	}
}

func TestRotationsAgainstIngestAndErasuresOnTwoNodes(t *testing.T) {
	a := newWorld(t, pgtest.URL(t))
	a.page = 5
	a.populate()
	nodes := []*world{a, a.second()}
	want := a.whoIsWho()
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var sent [2]int
	for i, n := range nodes {
		wg.Go(func() {
			for j := 0; ctx.Err() == nil; j++ {
				user := fmt.Sprintf("p%d-%d", i, j)
				r, err := n.trySend(n.src, "/v1/identify", fmt.Sprintf(`{"userId":%q,"messageId":%q,"traits":{"email":"%s@example.com"}}`, user, user, user))
				if err != nil || r.Accepted != 1 {
					t.Errorf("ingest while rotating: %+v, %v", r, err)
				}
				if j%3 == 1 {
					n.erase(n.find("email", user+"@example.com"))
				}
				n.sameAs(t, "while rotating", want)
				sent[i]++
			}
		})
	}
	for round := range 4 {
		n := nodes[round%2]
		old := n.vault.IndexKeys().Blinder("acme")
		if err := n.rotate(); err != nil {
			t.Fatal(err)
		}
		n.mustHaveRotated(t, uint32(round+1), old)
	}
	stop()
	wg.Wait()
	for i := range nodes {
		for j := range sent[i] {
			user := fmt.Sprintf("p%d-%d", i, j)
			x, errX := a.Find(context.Background(), a.caller, []plane.Identifier{{Type: "user_id", Value: user}})
			y, errY := a.Find(context.Background(), a.caller, []plane.Identifier{{Type: "email", Value: user + "@example.com"}})
			if x.Subject != y.Subject || (errX != nil) != (j%3 == 1) || (errY != nil) != (j%3 == 1) {
				t.Errorf("%s: %v %v, %v %v", user, x.Subject, errX, y.Subject, errY)
			}
		}
	}
	if sent[0] == 0 || sent[1] == 0 {
		t.Error("nothing came meanwhile")
	}
}

// during runs do inside a read, after its snapshot was taken.
type during struct {
	store.DB
	do func()
}

func (d *during) View(ctx context.Context, fn func(store.Tx) error) error {
	return d.DB.View(ctx, func(tx store.Tx) error {
		if do := d.do; do != nil {
			d.do = nil
			do()
		}
		return fn(tx)
	})
}

func TestAReadFromBeforeTheEndOfARotationLooksAgain(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.populate()
		want := w.whoIsWho()
		w.close()
		var d *during
		w.open(func(db store.DB) store.DB { d = &during{DB: db}; return d })
		if _, _, err := w.RotateIndex(context.Background(), tenant.Operator); err != nil {
			t.Fatal(err)
		}
		d.do = func() {
			if err := w.ReindexOnce(context.Background()); err != nil {
				t.Error(err)
			}
		}
		w.sameAs(t, "across the end", want)
		if d.do != nil || w.vault.IndexKeys().From != 2 {
			t.Error("the rotation did not end inside the read")
		}
	})
}

func TestABrokenIdentifierKeepsTheOldVersionUntilItIsGone(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.populate()
		s := w.find("user_id", "u3")
		old := w.vault.IndexKeys().Blinder("acme")
		w.exec(`UPDATE identifier SET sealed = $1 WHERE tenant = 1 AND subject = $2 AND type = 'user_id'`, make([]byte, 40), s[:])
		wantKind(t, "rotate", w.rotate(), fault.Conflict, "subject.identifiers_broken")
		if n := w.query(`SELECT type FROM identifier WHERE key_version = 1`); len(n) != 1 {
			t.Errorf("%d identifiers stayed, want the broken one", len(n))
		}
		if w.find("user_id", "u3") != s || w.find("email", "a@example.com") != w.find("user_id", "u1") {
			t.Error("somebody isn't found any more")
		}
		w.erase(s)
		if err := w.ReindexOnce(context.Background()); err != nil {
			t.Fatal(err)
		}
		w.mustHaveRotated(t, 1, old)
	})
}

// TestAnErasureFindsClaimsUnderEitherVersion: the owner's address has moved and a stranger's claim of
// it hasn't, or the other way round.
func TestAnErasureFindsClaimsUnderEitherVersion(t *testing.T) {
	for _, claimMoved := range []bool{false, true} {
		eachStore(t, func(t *testing.T, w *world) {
			w.send(w.web, "/v1/identify", `{"anonymousId":"stranger","messageId":"c1","traits":{"email":"a@example.com"}}`)
			w.send(w.src, "/v1/identify", `{"userId":"u1","messageId":"i1","traits":{"email":"a@example.com"}}`)
			w.send(w.web, "/v1/identify", `{"anonymousId":"n2","messageId":"c2","traits":{"email":"b@example.com"}}`)
			w.send(w.src, "/v1/identify", `{"userId":"u2","messageId":"i2","traits":{"email":"b@example.com"}}`)
			if _, _, err := w.RotateIndex(context.Background(), tenant.Operator); err != nil {
				t.Fatal(err)
			}
			w.moveOnly(t, claimMoved)
			stranger, u1 := w.find("anonymous_id", "stranger"), w.find("user_id", "u1")
			// The stranger can't have the address blocked, nor keep what they claimed of the erased.
			erase := func(s id.Subject) {
				if _, err := w.Erase(context.Background(), w.caller, s, plane.EraseRequest{Suppress: true}); err != nil {
					t.Fatal(err)
				}
			}
			erase(stranger)
			if r := w.send(w.src, "/v1/identify", `{"userId":"u1","messageId":"i3","traits":{"email":"a@example.com"}}`); r.Accepted != 1 {
				t.Errorf("a stranger's erasure blocked somebody: %+v", r)
			}
			if got := w.find("email", "a@example.com"); got != u1 {
				t.Errorf("found %v, want %v", got, u1)
			}
			erase(w.find("user_id", "u2"))
			_, err := w.Find(context.Background(), w.caller, []plane.Identifier{{Type: "email", Value: "b@example.com"}})
			wantKind(t, "find by an address that somebody else claims", err, fault.NotFound, "subject.unknown")
			if r := w.send(w.src, "/v1/identify", `{"userId":"u8","messageId":"i8","traits":{"email":"b@example.com"}}`); len(r.Refused) != 1 {
				t.Errorf("a suppressed address came back: %+v", r)
			}
			if err := w.ReindexOnce(context.Background()); err != nil {
				t.Fatal(err)
			}
			if got := w.find("email", "a@example.com"); got != u1 {
				t.Errorf("at the end: found %v, want %v", got, u1)
			}
		})
	}
}

// moveOnly moves the claims, or all else, to the current version.
func (w *world) moveOnly(t testing.TB, claims bool) {
	t.Helper()
	var moves []subject.Move
	err := w.db.Do(context.Background(), func(tx store.Tx) error {
		p, err := sqlstore.Subjects{}.BindingsBefore(tx, 2, subject.BindingAt{}, 1000)
		if err != nil {
			return err
		}
		for _, b := range p.Rows {
			if b.Claimed != claims {
				continue
			}
			for _, v := range []string{"a@example.com", "b@example.com", "u1", "u2", "stranger", "n2"} {
				if w.vault.IndexKeys().Before("acme").Identifier(b.Type, []byte(v)) == b.Digest {
					moves = append(moves, subject.Move{Binding: b.Binding, To: w.vault.IndexKeys().Blinder("acme").Identifier(b.Type, []byte(v)), ToVersion: 2})
				}
			}
		}
		n, err := sqlstore.Subjects{}.MoveBindings(tx, moves)
		if n == 0 || int(n) != len(moves) {
			t.Errorf("%d of %d moved", n, len(moves))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAStoreWithoutAKeyForClientIDsKeepsItsFirstIndexKey: stores were made before client ids had a
// key of their own.
func TestAStoreWithoutAKeyForClientIDsKeepsItsFirstIndexKey(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.exec(`DELETE FROM meta WHERE name = 'vault/check/client/1'`)
		w.exec(`INSERT INTO meta (cell, name, value) SELECT 1, 'vault/check/index/1', kcv FROM index_key`)
		if err := os.Remove(filepath.Join(w.dir, "keyring", "client-1.key")); err != nil {
			t.Fatal(err)
		}
		w.restart()
		w.populate()
		want := w.whoIsWho()
		for range 2 {
			if err := w.rotate(); err != nil {
				t.Fatal(err)
			}
		}
		w.restart()
		w.sameAs(t, "after two rotations", want)
		for _, body := range []string{retried, `{"userId":"gone","messageId":"ig","traits":{"email":"gone@example.com"}}`} {
			if r := w.send(w.src, "/v1/identify", body); r.Duplicate != 1 {
				t.Errorf("a retry: %+v", r)
			}
		}
		keys, _ := filepath.Glob(filepath.Join(w.dir, "keyring", "index-*.key"))
		if len(keys) != 2 || filepath.Base(keys[0]) != "index-1.key" || filepath.Base(keys[1]) != "index-3.key" {
			t.Errorf("index keys in the keyring: %v, want 1 and 3", keys)
		}
		ended := w.query(`SELECT ` + w.text("entry") + ` FROM ledger_entry WHERE kind = 'keys.rotated' ORDER BY leaf`)
		if len(ended) != 2 || !strings.Contains(ended[0], `"destroyed":false`) || !strings.Contains(ended[1], `"destroyed":true`) {
			t.Errorf("entered: %q", ended)
		}
	})
}

func TestOnlyTheOperatorRotates(t *testing.T) {
	w := newWorld(t, "")
	_, err := w.Keys(context.Background(), w.caller)
	wantKind(t, "Keys", err, fault.Forbidden, "operator.only")
	_, _, err = w.RotateIndex(context.Background(), w.caller)
	wantKind(t, "RotateIndex", err, fault.Forbidden, "operator.only")
}
