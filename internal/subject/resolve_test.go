package subject_test

import (
	"slices"
	"testing"

	"domicile.dev/internal/id"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/term"
)

// world is a Graph with names for what it holds.
type world struct {
	t *testing.T
	*subject.Graph
	names map[id.Subject]string
}

func newWorld(t *testing.T) *world {
	return &world{t, subject.NewGraph(func(uint32, id.Subject) (uint32, []byte, error) { return 1, []byte("wrapped"), nil }), map[id.Subject]string{}}
}

func ident(typ, value string) subject.Identifier {
	var d subject.Digest
	copy(d[:], typ[:1]+value)
	return subject.Identifier{Type: typ, Value: []byte(value), Digest: d}
}

func user(v string) subject.Identifier  { return ident(term.UserID, v) }
func anon(v string) subject.Identifier  { return ident(term.AnonymousID, v) }
func email(v string) subject.Identifier { return ident(term.Email, v) }

// says resolves what a source says and returns the person's head.
func (w *world) says(source string, trust term.Trust, join bool, ids ...subject.Identifier) id.Subject {
	w.t.Helper()
	s := &subject.Say{Tenant: 1, Identifiers: ids, Join: join, Trust: trust, Source: source, At: 1}
	r, err := w.Resolve(s)
	if err != nil || r == nil {
		w.t.Fatalf("Resolve(%v) = %v, %v", ids, r, err)
	}
	return r.Subject
}

func (w *world) server(join bool, ids ...subject.Identifier) id.Subject {
	w.t.Helper()
	return w.says("server", term.Server, join, ids...)
}

func (w *world) browser(join bool, ids ...subject.Identifier) id.Subject {
	w.t.Helper()
	return w.says("browser", term.Public, join, ids...)
}

func (w *world) find(ids ...subject.Identifier) (heads, claimed []id.Subject) {
	digests := make([]subject.Digest, len(ids))
	for i := range ids {
		digests[i] = ids[i].Digest
	}
	return w.Find(1, digests)
}

func (w *world) finds(what string, want []id.Subject, ids ...subject.Identifier) {
	w.t.Helper()
	got, _ := w.find(ids...)
	if !slices.Equal(got, want) {
		w.t.Errorf("%s: find %v = %v, want %v", what, ids, got, want)
	}
}

func TestServerSourcesJoinByIdentify(t *testing.T) {
	w := newWorld(t)
	before := w.server(false, anon("n1"))
	person := w.server(true, user("u1"), anon("n1"), email("a@example.com"))
	if person != before {
		t.Errorf("identify made a second person of an anonymous one")
	}
	for _, i := range []subject.Identifier{user("u1"), anon("n1"), email("a@example.com")} {
		w.finds("after identify", []id.Subject{person}, i)
	}
	if got := w.server(false, anon("n1")); got != person {
		t.Errorf("an event by the anonymous id alone went to somebody else")
	}
}

func TestTrackWithTwoIdentifiersJoinsNobody(t *testing.T) {
	w := newWorld(t)
	a := w.server(false, anon("n1"))
	u := w.server(false, user("u1"), anon("n1"))
	if a == u {
		t.Errorf("a track joined the anonymous person to the user")
	}
	w.finds("by anonymous id", []id.Subject{a}, anon("n1"))
}

func TestIdentifyJoinsTwoPeopleOfWhomOneIsKnown(t *testing.T) {
	w := newWorld(t)
	a, u := w.server(false, anon("n1")), w.server(false, user("u1"))
	got := w.server(true, user("u1"), anon("n1"))
	if got != u {
		t.Errorf("the head is not the one with the user id")
	}
	if m := w.Merges(); len(m) != 1 || m[0].From != a || m[0].To != u {
		t.Errorf("merges = %v, want one from the anonymous person", m)
	}
	w.finds("after the merge", []id.Subject{u}, anon("n1"))
}

func TestTwoKnownUserIDsStayTwoPeople(t *testing.T) {
	w := newWorld(t)
	u1 := w.server(true, user("u1"), email("shared@example.com"))
	u2 := w.server(true, user("u2"), email("shared@example.com"))
	if u1 == u2 {
		t.Fatal("two user ids became one person by an e-mail address")
	}
	if n := w.Refusals[subject.Refusal{Tenant: 1, Source: "server", Reason: subject.RefusedTwoUsers}]; n != 1 {
		t.Errorf("%d refusals counted, want 1", n)
	}
	heads, _ := w.find(email("shared@example.com"))
	if len(heads) != 2 {
		t.Errorf("the shared address finds %d people, want both", len(heads))
	}
	solo := w.server(false, email("shared@example.com"))
	if solo == u1 || solo == u2 {
		t.Errorf("a record known only by the shared address went to one of the two")
	}
	if again := w.server(false, email("shared@example.com")); again != solo {
		t.Errorf("the next such record went to yet another person")
	}
}

func TestAliasOfAnotherKnownUserIsRefused(t *testing.T) {
	w := newWorld(t)
	u1, u2 := w.server(false, user("u1")), w.server(false, user("u2"))
	prev := user("u1")
	s := &subject.Say{Tenant: 1, Identifiers: []subject.Identifier{user("u2"), anon("u1")}, Previous: &prev, Join: true,
		Trust: term.Server, Source: "server", At: 1}
	r, err := w.Resolve(s)
	if err != nil || r.Subject != u2 {
		t.Fatalf("Resolve = %v, %v; want the new id's person", r, err)
	}
	w.finds("the old user id", []id.Subject{u1}, user("u1"))
	if len(w.Merges()) != 0 {
		t.Errorf("two known users were merged")
	}
}

func TestAStrangersClaimFindsNobodyElse(t *testing.T) {
	w := newWorld(t)
	victim := w.server(true, user("victim"), email("victim@example.com"))
	thief := w.browser(true, anon("thief-device"), user("thief"), email("victim@example.com"))
	if thief == victim {
		t.Fatal("a browser's e-mail joined it to a stranger")
	}
	w.finds("the victim's address", []id.Subject{victim}, email("victim@example.com"))
	if _, claimed := w.find(email("victim@example.com")); !slices.Equal(claimed, []id.Subject{thief}) {
		t.Errorf("claimed = %v, want the thief, shown apart", claimed)
	}
}

func TestAClaimOnAUserIDBuysNoAddressOfTheirs(t *testing.T) {
	w := newWorld(t)
	mine := w.browser(true, anon("my-device"), user("u1"), email("me@example.com"))
	// A stranger says to be u1, from another device and without one.
	other := w.browser(true, anon("other-device"), user("u1"), email("stranger@example.com"))
	nodevice := w.browser(true, user("u1"), email("stranger2@example.com"))
	if other == mine {
		t.Error("another device was joined by a claimed user id")
	}
	for _, stranger := range []string{"stranger@example.com", "stranger2@example.com"} {
		if heads, _ := w.find(email(stranger)); slices.Contains(heads, mine) {
			t.Errorf("%s finds the person", stranger)
		}
	}
	_ = nodevice
	// Now the server knows u1: claims stop finding them.
	known := w.server(true, user("u1"), email("real@example.com"))
	if heads, _ := w.find(email("stranger@example.com")); slices.Contains(heads, known) {
		t.Error("a claimed address finds a person whom the server knows")
	}
	w.finds("the user id", []id.Subject{known}, user("u1"))
}

func TestBrowserEventsOfAKnownUserGoHomeAndClaimNothing(t *testing.T) {
	w := newWorld(t)
	known := w.server(false, user("u1"))
	if got := w.browser(true, user("u1"), anon("n1"), email("x@example.com")); got != known {
		t.Error("a browser's event of a known user went to somebody else")
	}
	w.finds("the address that the browser said", nil, email("x@example.com"))
	if n := w.Refusals[subject.Refusal{Tenant: 1, Source: "browser", Reason: subject.RefusedClaim}]; n == 0 {
		t.Error("the ignored claim was not counted")
	}
}

func TestServerJoinsADeviceThatABrowserBrought(t *testing.T) {
	w := newWorld(t)
	device := w.browser(false, anon("n1"))
	person := w.server(true, user("u1"), anon("n1"))
	if person != device {
		t.Error("the server's identify did not take the device's history along")
	}
}

func TestTenantsNeverMeet(t *testing.T) {
	w := newWorld(t)
	one := w.server(true, user("u1"), email("a@example.com"))
	s := &subject.Say{Tenant: 2, Identifiers: []subject.Identifier{user("u1"), email("a@example.com")}, Join: true, Trust: term.Server, Source: "server2", At: 1}
	r, err := w.Resolve(s)
	if err != nil {
		t.Fatal(err)
	}
	if r.Subject == one || r.Tenant != 2 {
		t.Error("two tenants share a person")
	}
	w.finds("for the first tenant", []id.Subject{one}, email("a@example.com"))
}

func TestCanonical(t *testing.T) {
	for _, tt := range []struct {
		typ, in, want string
		ok            bool
	}{
		{term.Email, " Aoife.Test+news@Example.COM ", "aoife.test+news@example.com", true},
		{term.Email, "no-at-sign", "", false},
		{term.Email, "@example.com", "", false},
		{term.Email, "a@", "", false},
		{term.Phone, "+353209150001", "+353209150001", true},
		{term.Phone, "+44 (0)7700 900123", "+447700900123", true},
		{term.Phone, "+1-202-555-0143", "+12025550143", true},
		{term.Phone, "+4407700900123", "+447700900123", true},
		{term.Phone, "+353 (0)85.123/4567", "+353851234567", true},
		{term.Phone, "+3530851234567", "+353851234567", true},
		{term.Phone, "+390612345678", "+390612345678", true}, // Italy's zero is part of the number
		{term.Phone, "+5215512345678", "+5215512345678", true},
		{term.Phone, "+52 1 55 1234 5678", "+5215512345678", true}, // of an old plan, in both spellings
		{term.Phone, "+12025550143", "+12025550143", true},
		{term.Phone, "+35308512345678999", "", false},
		{term.Phone, "00353851234567", "", false},
		{term.Phone, "12345", "", false},
		{term.Phone, "ACME", "", false},
		{term.Phone, "sip:+353851234567@example.com", "", false},
		{term.Phone, "0871234567", "", false},
		{term.Phone, "+", "", false},
		{term.UserID, "User-1", "User-1", true},
		{term.UserID, "  ", "", false},
		{term.UserID, "\xff", "", false},
	} {
		got, ok := subject.Canonical(tt.typ, []byte(tt.in))
		if ok != tt.ok || string(got) != tt.want {
			t.Errorf("Canonical(%s, %q) = %q, %v; want %q, %v", tt.typ, tt.in, got, ok, tt.want, tt.ok)
		}
	}
}

// FuzzCanonical: a canonical identifier is its own canonical form, and within bounds.
func FuzzCanonical(f *testing.F) {
	for _, v := range []string{"+44 (0)7700 900123", "+390612345678", "+5215512345678", "+1-202-555-0143", "a@Example.COM", "\xff", " ", "+", "+١٢٣٤٥٦٧٨"} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		for _, typ := range []string{term.Phone, term.Email, term.UserID} {
			once, ok := subject.Canonical(typ, []byte(v))
			if !ok {
				continue
			}
			if len(once) == 0 || len(once) > subject.MaxIdentifierBytes {
				t.Errorf("%s: %d bytes", typ, len(once))
			}
			if twice, ok := subject.Canonical(typ, slices.Clone(once)); !ok || string(twice) != string(once) {
				t.Errorf("%s: %q becomes %q, and that %q, %v", typ, v, once, twice, ok)
			}
		}
	})
}
