package subject_test

import (
	"slices"
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/term"
)

func phone(v string) subject.Identifier { return ident(term.Phone, v) }
func wa(v string) subject.Identifier    { return ident(term.WhatsAppID, v) }

// at resolves what a server source says of an event at that time; former is given up with it, when it is not nil.
func (w *world) at(time int64, former *subject.Identifier, ids ...subject.Identifier) id.Subject {
	w.t.Helper()
	s := &subject.Say{Tenant: 1, Identifiers: ids, Join: len(ids) > 1, Trust: term.Server, Source: "server", At: 100, Occurred: time, Former: former}
	r, err := w.Resolve(s)
	if err != nil || r == nil {
		w.t.Fatalf("Resolve(%v) = %v, %v", ids, r, err)
	}
	return r.Subject
}

func TestARetiredIdentifierNamesItsHolderOfTheTime(t *testing.T) {
	w := newWorld(t)
	number, next := phone("1"), phone("2")
	first := w.at(10, nil, wa("a"), number)
	if got := w.at(20, &number, wa("b"), wa("a"), next, number); got != first {
		t.Fatal("the change is about somebody else")
	}
	w.finds("by the old number", nil, number)
	w.finds("by the new number", []id.Subject{first}, next)
	second := w.at(25, nil, number)
	if second == first {
		t.Fatal("the number still names who gave it up")
	}
	for _, tt := range []struct {
		what string
		got  id.Subject
		want id.Subject
	}{
		{"what occurred before, and comes late", w.at(15, nil, number), first},
		{"what occurs after", w.at(30, nil, number), second},
		{"what an old list says of the first", w.at(31, nil, wa("a"), number), first},
		{"what occurs after that", w.at(32, nil, number), second},
		{"the change again", w.at(20, &number, wa("b"), wa("a"), next, number), first},
	} {
		if tt.got != tt.want {
			t.Errorf("%s went to the wrong person", tt.what)
		}
	}
	w.finds("by the number", []id.Subject{second}, number)
	// The second gives it up, too; then three people had it, one after the other.
	if got := w.at(40, &number, wa("c"), number); got != second {
		t.Error("the second change is about somebody else")
	}
	third := w.at(45, nil, number)
	for when, want := range map[int64]id.Subject{5: first, 19: first, 20: second, 39: second, 40: third, 0: third} {
		if got := w.at(when, nil, number); got != want {
			t.Errorf("at %d the number names the wrong person", when)
		}
	}
	if w.Owner(1, number.Digest) != nil {
		t.Error("an identifier with a history is for the cache")
	}
}

func TestByHand(t *testing.T) {
	w := newWorld(t)
	say := &subject.Say{Tenant: 1, Trust: term.Server, Source: "token", At: 50}
	u1 := w.server(true, user("u1"), email("shared@example.com"))
	u2 := w.server(true, user("u2"), email("shared@example.com"))
	anonymous := w.server(false, phone("1"))
	row := func(s id.Subject) *subject.Row { return w.Head(subject.Key{Tenant: 1, Subject: s}) }
	link := func(s id.Subject, i subject.Identifier) (*subject.Row, bool, error) { return w.Link(say, row(s), &i) }
	retire := func(s id.Subject, i subject.Identifier) (bool, error) { return w.Retire(row(s), &i, 60) }

	if _, _, err := link(anonymous, email("shared@example.com")); fault.ReasonOf(err) != "subject.ambiguous" {
		t.Errorf("to link what two people have: %v", err)
	}
	if _, _, err := link(u1, user("u2")); fault.ReasonOf(err) != subject.RefusedTwoUsers {
		t.Errorf("to link two users: %v", err)
	}
	if changed, err := retire(u2, email("shared@example.com")); !changed || err != nil {
		t.Errorf("Retire = %v, %v", changed, err)
	}
	if changed, err := retire(u2, email("shared@example.com")); changed || err != nil {
		t.Errorf("Retire again = %v, %v", changed, err)
	}
	w.finds("when one of two gave it up", []id.Subject{u1}, email("shared@example.com"))
	if head, changed, err := link(u1, phone("1")); err != nil || !changed || head.Subject != u1 || row(anonymous).Subject != u1 {
		t.Errorf("Link = %v, %v, %v", head, changed, err)
	}
	if _, changed, err := link(u1, phone("1")); err != nil || changed {
		t.Errorf("Link again = %v, %v", changed, err)
	}
	if _, err := retire(u1, phone("9")); fault.ReasonOf(err) != "identifier.unknown" {
		t.Errorf("to retire what nobody has: %v", err)
	}
	if head, changed, err := link(u2, phone("9")); err != nil || !changed || !slices.Equal(w.Holders(1, phone("9").Digest), []id.Subject{head.Subject}) {
		t.Errorf("to link what nobody has: %v, %v", changed, err)
	}
}
