package plane_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"domicile.dev/internal/id"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/store/storetest/pgtest"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// afterView runs do once, after the n-th read from now.
type afterView struct {
	store.DB
	n  int
	do func()
}

func (a *afterView) View(ctx context.Context, fn func(store.Tx) error) error {
	err := a.DB.View(ctx, fn)
	if do := a.do; do != nil {
		if a.n--; a.n == 0 {
			a.do = nil
			do()
		}
	}
	return err
}

// TestWhatIsRetiredWhileItsPageMovesMovesToo: it goes to a place that the walk has passed by.
func TestWhatIsRetiredWhileItsPageMovesMovesToo(t *testing.T) {
	met := false
	for read := 1; read < 5; read++ {
		eachStore(t, func(t *testing.T, w *world) {
			w.populate()
			s := w.find(term.UserID, "u1")
			w.close()
			var a *afterView
			w.open(func(db store.DB) store.DB { a = &afterView{DB: db}; return a })
			old := w.vault.IndexKeys().Blinder("acme")
			if _, _, err := w.RotateIndex(context.Background(), tenant.Operator); err != nil {
				t.Fatal(err)
			}
			a.n, a.do = read, func() {
				w.mustRetire(s, phones(oldNumber)...)
				met = met || len(w.query(`SELECT type FROM identifier WHERE key_version = 1 AND flags = -1`)) == 1
			}
			if err := w.ReindexOnce(context.Background()); err != nil {
				t.Fatal(err)
			}
			if a.do != nil {
				w.mustRetire(s, phones(oldNumber)...)
			}
			w.mustHaveRotated(t, 1, old)
			w.mustBeNobody(phones(oldNumber)...)
			if v := w.known(s)["phone "+oldNumber+" retired"]; v.RetiredAt.IsZero() {
				t.Errorf("known by %v", w.known(s))
			}
		})
	}
	if !met {
		t.Error("nothing was retired before its page moved")
	}
}

// TestWhatOccurredBeforeLeavesNoSecondRow: while the key is rotated, an event of before an identifier was
// retired names its present holder, too, whose row is under the version before.
func TestWhatOccurredBeforeLeavesNoSecondRow(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.src, "/v1/identify", fmt.Sprintf(`{"userId":"u1","messageId":"i1","traits":{"phone":%q}}`, oldNumber))
		u1 := w.find(term.UserID, "u1")
		w.mustRetire(u1, phones(oldNumber)...)
		w.send(w.src, "/v1/identify", fmt.Sprintf(`{"userId":"u2","messageId":"i2","traits":{"phone":%q}}`, oldNumber))
		u2 := w.find(term.Phone, oldNumber)
		if u2 == u1 || u2 != w.find(term.UserID, "u2") {
			t.Fatal("the number is not the next holder's")
		}
		if _, _, err := w.RotateIndex(context.Background(), tenant.Operator); err != nil {
			t.Fatal(err)
		}
		w.send(w.src, "/v1/identify", fmt.Sprintf(`{"userId":"u2","messageId":"i3","timestamp":"2026-03-01T10:00:00Z","traits":{"phone":%q}}`, oldNumber))
		if n := w.query(`SELECT type FROM identifier WHERE type = 'phone'`); len(n) != 2 {
			t.Errorf("%d rows of one number, want one of each holder", len(n))
		}
		w.mustRetire(u2, phones(oldNumber)...)
		w.mustBeNobody(phones(oldNumber)...)
		if err := w.ReindexOnce(context.Background()); err != nil {
			t.Fatal(err)
		}
		w.mustBeNobody(phones(oldNumber)...)
		for _, s := range []id.Subject{u1, u2} {
			if v := w.known(s)["phone "+oldNumber+" retired"]; v.RetiredAt.IsZero() || len(w.known(s)) != 2 {
				t.Errorf("known by %v", w.known(s))
			}
		}
	})
}

// TestANodeThatIsLateLooksAgainWhoHasANumber: the other node's rotation has moved that somebody had it
// before, and not yet who has it now.
func TestANodeThatIsLateLooksAgainWhoHasANumber(t *testing.T) {
	a := newWorld(t, pgtest.URL(t))
	a.send(a.nat, "", text("x1", oldNumber, 9))
	first := a.find(term.Phone, oldNumber)
	a.mustRetire(first, phones(oldNumber)...)
	a.send(a.nat, "", text("x2", oldNumber, -1))
	next := a.find(term.Phone, oldNumber)
	b := a.second()
	if _, _, err := a.RotateIndex(context.Background(), tenant.Operator); err != nil {
		t.Fatal(err)
	}
	a.moveRetired(t, oldNumber)
	if b.vault.IndexKeys().To != 1 {
		t.Fatal("nothing is left to learn")
	}
	var batch []string
	for i := range 8 {
		batch = append(batch, text(fmt.Sprint("b", i), oldNumber, 9+i%2))
	}
	if r := b.send(b.nat, "", strings.Join(batch, "\n")); r.Accepted != 8 {
		t.Fatalf("%+v", r)
	}
	if n, m := len(a.records(first)), len(a.records(next)); n != 9 || m != 1 {
		t.Errorf("%d records of the holder before, %d of the next one, want 9 and 1", n, m)
	}
	if err := b.ReindexOnce(context.Background()); err != nil {
		t.Fatal(err)
	}
	if b.find(term.Phone, oldNumber) != next {
		t.Error("the number is no longer the next holder's")
	}
}

// TestWhatWasGivenUpIsNotTheErasedPersonsUnderEitherVersion: who had a number once can't have it blocked,
// nor take it from who claims it, wherever a rotation is.
func TestWhatWasGivenUpIsNotTheErasedPersonsUnderEitherVersion(t *testing.T) {
	for _, where := range []string{"no rotation", "begun", "the retired one moved", "the claim moved"} {
		t.Run(where, func(t *testing.T) {
			eachStore(t, func(t *testing.T, w *world) {
				w.send(w.web, "/v1/identify", fmt.Sprintf(`{"anonymousId":"stranger","messageId":"c1","traits":{"phone":%q}}`, oldNumber))
				w.send(w.src, "/v1/identify", fmt.Sprintf(`{"userId":"u1","messageId":"i1","traits":{"phone":%q}}`, oldNumber))
				u1, stranger := w.find(term.UserID, "u1"), w.find(term.AnonymousID, "stranger")
				w.mustRetire(u1, phones(oldNumber)...)
				if where != "no rotation" {
					if _, _, err := w.RotateIndex(context.Background(), tenant.Operator); err != nil {
						t.Fatal(err)
					}
				}
				switch where {
				case "the retired one moved":
					w.moveRetired(t, oldNumber)
				case "the claim moved":
					w.moveIf(t, oldNumber, func(b *subject.Binding) bool { return b.Claimed })
				}
				suppress := func(s id.Subject) {
					if _, err := w.Erase(context.Background(), w.caller, s, plane.EraseRequest{Suppress: true}); err != nil {
						t.Fatal(err)
					}
				}
				suppress(u1)
				if w.find(term.Phone, oldNumber) != stranger {
					t.Error("the claim went with who had the number before")
				}
				w.send(w.src, "/v1/identify", fmt.Sprintf(`{"userId":"u2","messageId":"i2","traits":{"phone":%q}}`, oldNumber))
				u2 := w.find(term.Phone, oldNumber)
				if u2 == stranger {
					t.Error("a server source's word is no more than a claim")
				}
				w.mustRetire(u2, phones(oldNumber)...)
				suppress(stranger) // nobody else has it: it is theirs to have blocked
				if r := w.send(w.src, "/v1/identify", fmt.Sprintf(`{"userId":"u3","messageId":"i3","traits":{"phone":%q}}`, oldNumber)); len(r.Refused) != 1 {
					t.Errorf("%+v, want it refused", r)
				}
			})
		})
	}
}

// moveRetired moves the retired row of a number to the current version.
func (w *world) moveRetired(t testing.TB, number string) {
	t.Helper()
	w.moveIf(t, number, func(b *subject.Binding) bool { return b.RetiredAt != 0 })
}

// moveIf moves the row of a number that which picks.
func (w *world) moveIf(t testing.TB, number string, which func(*subject.Binding) bool) {
	t.Helper()
	err := w.db.Do(context.Background(), func(tx store.Tx) error {
		p, err := sqlstore.Subjects{}.BindingsBefore(tx, 2, subject.BindingAt{}, 1000)
		if err != nil {
			return err
		}
		for _, b := range p.Rows {
			if !which(&b.Binding) || b.Digest != w.vault.IndexKeys().Before("acme").Identifier(term.Phone, []byte(number)) {
				continue
			}
			n, err := sqlstore.Subjects{}.MoveBindings(tx, []subject.Move{{Binding: b.Binding, To: w.vault.IndexKeys().Blinder("acme").Identifier(term.Phone, []byte(number)), ToVersion: 2}})
			if n != 1 {
				t.Errorf("%d moved", n)
			}
			return err
		}
		t.Error("there is no such row")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
