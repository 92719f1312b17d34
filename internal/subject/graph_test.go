package subject_test

import (
	"testing"

	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
)

// twoVersions is a store in which some bindings are under the digest before.
type twoVersions struct {
	subject.Store
	bindings []subject.Binding
	asked    int
}

func (s *twoVersions) Bindings(_ store.Tx, keys []subject.BindingKey, each func(subject.Binding)) error {
	s.asked = len(keys)
	for _, k := range keys {
		for _, b := range s.bindings {
			if b.BindingKey == k {
				each(b)
			}
		}
	}
	return nil
}

func (s *twoVersions) Rows(_ store.Tx, keys []subject.Key, each func(subject.Row)) error {
	for _, k := range keys {
		each(subject.Row{Key: k, Head: k.Subject, State: subject.Trusted})
	}
	return nil
}

// TestDigestsOfTwoVersionsAreOneIdentifier: wherever its bindings stand, an identifier names the same people.
func TestDigestsOfTwoVersionsAreOneIdentifier(t *testing.T) {
	const tenant = 1
	now, before := subject.Digest{1}, subject.Digest{2}
	bind := func(d subject.Digest, s byte, claimed bool) subject.Binding {
		return subject.Binding{BindingKey: subject.BindingKey{Tenant: tenant, Digest: d}, Subject: id.Subject{s}, Claimed: claimed}
	}
	for _, tt := range []struct {
		name           string
		bindings       []subject.Binding
		heads, claimed int
	}{
		{"moved", []subject.Binding{bind(now, 1, false)}, 1, 0},
		{"not moved", []subject.Binding{bind(before, 1, false)}, 1, 0},
		{"both, of one person", []subject.Binding{bind(now, 1, false), bind(before, 1, false)}, 1, 0},
		{"both, of two people", []subject.Binding{bind(now, 1, false), bind(before, 2, false)}, 2, 0},
		{"a claim that hasn't moved", []subject.Binding{bind(now, 1, false), bind(before, 2, true)}, 1, 1},
		{"a person who hasn't moved", []subject.Binding{bind(now, 2, true), bind(before, 1, false)}, 1, 1},
		{"nobody", nil, 0, 0},
	} {
		for _, rotating := range []bool{true, false} {
			st := &twoVersions{bindings: tt.bindings}
			say := subject.Say{Tenant: tenant, Identifiers: []subject.Identifier{{Type: "email", Digest: now}}}
			if rotating {
				say.Identifiers[0].Before = before
			}
			g := subject.NewGraph(nil)
			g.Want(&say)
			if err := g.Load(nil, st); err != nil {
				t.Fatal(err)
			}
			heads, claimed := g.Find(tenant, []subject.Digest{now})
			if rotating && (len(heads) != tt.heads || len(claimed) != tt.claimed) {
				t.Errorf("%s: found %v, claimed %v, want %d and %d", tt.name, heads, claimed, tt.heads, tt.claimed)
			}
			if want := map[bool]int{true: 2, false: 1}[rotating]; st.asked != want {
				t.Errorf("%s, rotating %v: %d digests were asked for, want %d", tt.name, rotating, st.asked, want)
			}
		}
	}
}

// TestNoMoreBindingsCountThanOfOneDigest: a stranger's many claims find no more of them, and hide nobody.
func TestNoMoreBindingsCountThanOfOneDigest(t *testing.T) {
	now, before := subject.BindingKey{Tenant: 1, Digest: subject.Digest{1}}, subject.BindingKey{Tenant: 1, Digest: subject.Digest{2}}
	st := &twoVersions{}
	for i := range byte(subject.MostBindings) {
		st.bindings = append(st.bindings, subject.Binding{BindingKey: now, Subject: id.Subject{1, i}, Claimed: true},
			subject.Binding{BindingKey: before, Subject: id.Subject{2, i}, Claimed: true})
	}
	st.bindings = append(st.bindings, subject.Binding{BindingKey: before, Subject: id.Subject{9}})
	say := subject.Say{Tenant: 1, Identifiers: []subject.Identifier{{Type: "email", Digest: now.Digest, Before: before.Digest}}}
	g := subject.NewGraph(nil)
	g.Want(&say)
	if err := g.Load(nil, st); err != nil {
		t.Fatal(err)
	}
	heads, claimed := g.Find(1, []subject.Digest{now.Digest})
	if len(heads) != 1 || heads[0] != (id.Subject{9}) || len(claimed) != subject.MostBindings-1 {
		t.Errorf("found %v and %d claims, want the owner and %d", heads, len(claimed), subject.MostBindings-1)
	}
}
