package subject_test

import (
	"testing"

	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
)

// rows is a store of who arrives, and of nobody else.
type rows struct {
	subject.Store
	row subject.Row
}

func (r rows) Rows(_ store.Tx, keys []subject.Key, each func(subject.Row)) error {
	for _, k := range keys {
		if k == r.row.Key {
			each(r.row)
		}
	}
	return nil
}

// arrives brings somebody with identifiers and returns their head, and who they were on the way.
func (w *world) arrives(state subject.State, bindings ...*subject.Binding) (head *subject.Row, own id.Subject) {
	w.t.Helper()
	k := subject.Key{Tenant: 1, Subject: id.NewSubject()}
	st := rows{row: subject.Row{Key: k, Head: k.Subject, State: subject.Arriving}}
	if err := w.LoadRows(nil, st, map[subject.Key]bool{k: true}); err != nil {
		w.t.Fatal(err)
	}
	for _, b := range bindings {
		b.Subject = k.Subject
	}
	return w.Arrive(k, state, bindings), k.Subject
}

func bound(i subject.Identifier) *subject.Binding {
	return &subject.Binding{BindingKey: subject.BindingKey{Tenant: 1, Digest: i.Digest}, Type: i.Type, Source: "src_ie1_a"}
}

func claimed(i subject.Identifier) *subject.Binding { b := bound(i); b.Claimed = true; return b }

func TestWhoArrives(t *testing.T) {
	known := subject.Known | subject.Trusted
	t.Run("alone", func(t *testing.T) {
		w := newWorld(t)
		head, own := w.arrives(known|subject.Restricted, bound(user("u1")), bound(email("a")))
		if head.Subject != own || head.State != known|subject.Restricted {
			t.Errorf("%+v", head)
		}
		w.finds("by user id", []id.Subject{own}, user("u1"))
		w.finds("by e-mail", []id.Subject{own}, email("a"))
		if len(w.Disturbed()) != 0 || len(w.NewBindings()) != 2 {
			t.Errorf("disturbs %v, binds %v", w.Disturbed(), w.NewBindings())
		}
	})
	t.Run("the same user id", func(t *testing.T) {
		w := newWorld(t)
		here := w.server(true, user("u1"), email("b"))
		head, own := w.arrives(known|subject.Restricted, bound(user("u1")), bound(email("a")))
		if head.Subject != here || head.State&subject.Restricted == 0 || head.State&subject.Arriving != 0 {
			t.Errorf("head %+v, want %s, restricted", head, here)
		}
		w.finds("by both", []id.Subject{here}, email("a"), email("b"), user("u1"))
		if m := w.Merges(); len(m) != 1 || m[0].From != own || m[0].To != here {
			t.Errorf("merges %v", m)
		}
	})
	t.Run("an anonymous one here", func(t *testing.T) {
		w := newWorld(t)
		here := w.server(false, anon("n1"))
		head, own := w.arrives(known, bound(user("u1")), bound(anon("n1")))
		if head.Subject != own {
			t.Errorf("head %s, want who has a user id", head.Subject)
		}
		w.finds("who was here", []id.Subject{own}, anon("n1"))
		if m := w.Merges(); len(m) != 1 || m[0].From != here {
			t.Errorf("merges %v", m)
		}
	})
	t.Run("another user with the same e-mail", func(t *testing.T) {
		w := newWorld(t)
		here := w.server(true, user("u2"), email("a"))
		head, own := w.arrives(known, bound(email("a")), bound(user("u1")))
		if head.Subject != own || len(w.Merges()) != 0 || len(w.Refusals) != 1 {
			t.Errorf("head %v, merges %v, refusals %v", head, w.Merges(), w.Refusals)
		}
		w.finds("the e-mail is shared", []id.Subject{here, own}, email("a"))
	})
	t.Run("only a claim", func(t *testing.T) {
		w := newWorld(t)
		here := w.server(true, user("u2"), email("a"))
		_, own := w.arrives(subject.Public, bound(anon("n1")), claimed(email("a")))
		if len(w.Merges()) != 0 {
			t.Errorf("a claim joined %v", w.Merges())
		}
		w.finds("who has it", []id.Subject{here}, email("a"))
		w.finds("who arrived", []id.Subject{own}, anon("n1"))
	})
}
