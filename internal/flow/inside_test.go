package flow

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
)

func TestEveryMoveLeadsToAStateAndNoOtherExists(t *testing.T) {
	verbs := []Verb{Start, Pause, Resume, Replay, Retry, Skip, halt, goOn, park}
	for _, s := range []State{Idle, Running, Paused, Halted, Parked} {
		for _, v := range verbs {
			to, ok := s.After(v)
			if ok != slices.Contains([]State{Idle, Running, Paused, Halted, Parked}, to) {
				t.Errorf("%s %s leads to %q", s, v, to)
			}
			if ok && to == Running && (s == Idle) != (v == Start) {
				t.Errorf("%s %s makes it run", s, v)
			}
		}
		if err := s.refuse(Start); fault.KindOf(err) != fault.Conflict {
			t.Errorf("refusal %v", err)
		}
	}
}

func TestAPauseDoublesWithinItsBounds(t *testing.T) {
	r := New(Parts{}, Options{})
	for attempt, most := 1, time.Second; attempt < 40; attempt, most = attempt+1, min(2*most, 5*time.Minute) {
		for range 50 {
			if d := r.pause(attempt, nil); d < most/2 || d > most {
				t.Fatalf("attempt %d waits %v, want %v to %v", attempt, d, most/2, most)
			}
		}
	}
	asked := &fault.Error{Kind: fault.RateLimited, RetryAfterSeconds: 900}
	if d := r.pause(1, asked); d != 15*time.Minute {
		t.Errorf("the recipient asked for 15 min and gets %v", d)
	}
}

func TestPackedSubjectsAreFound(t *testing.T) {
	var list []id.Subject
	for range 200 {
		list = append(list, id.NewSubject())
	}
	packed := packSubjects(append(append([]id.Subject(nil), list...), list[:20]...))
	if len(packed) != 200*subjectBytes {
		t.Errorf("%d bytes", len(packed))
	}
	for _, s := range list {
		if !holds(packed, s) {
			t.Errorf("%s isn't found", s)
		}
	}
	if holds(packed, id.NewSubject()) || holds(nil, list[0]) {
		t.Error("somebody else is found")
	}
}

// FuzzPacked reads lists of ids as a store may have them: they unpack to what packs to the same bytes,
// or not at all.
func FuzzPacked(f *testing.F) {
	f.Add(packSubjects([]id.Subject{id.NewSubject(), id.NewSubject()}))
	f.Add(packRecords([]id.Record{{Ordinal: 7}}))
	f.Add([]byte("no list"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if list, err := unpackSubjects(b); err == nil {
			var again []byte
			for _, s := range list {
				again = append(again, s[:]...)
			}
			if !bytes.Equal(again, b) {
				t.Errorf("%x became %x", b, again)
			}
			packed := packSubjects(slices.Clone(list))
			for _, s := range list {
				if !holds(packed, s) {
					t.Errorf("%s was packed and isn't found", s)
				}
			}
		} else if list != nil {
			t.Error("a bad list gave subjects")
		}
		if list, err := UnpackRecords(b); err == nil {
			if !bytes.Equal(packRecords(list), b) {
				t.Errorf("%x came back otherwise", b)
			}
		} else if list != nil {
			t.Error("a bad list gave records")
		}
		holds(b, id.Subject{})
	})
}

// FuzzFragment reads an opened part: it is an object behind a client's id, or nothing.
func FuzzFragment(f *testing.F) {
	f.Add([]byte("\x02m1{\"a\":1}"))
	f.Add([]byte{0, '{', '}'})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := fragment(b)
		if err != nil && (got != nil || fault.KindOf(err) != fault.Invalid) {
			t.Errorf("%q, %v", got, err)
		}
		if err == nil && (len(got) == 0 || got[0] != '{' || !bytes.HasSuffix(b, got)) {
			t.Errorf("%q of %q", got, b)
		}
	})
}

// A stand-in's consent is what everybody in it gave, as old as the oldest and to the text that all named.
func TestBothConsent(t *testing.T) {
	type list = []decision.Consent
	c := func(purpose string, at int64, text string) decision.Consent {
		return decision.Consent{Purpose: purpose, At: at, Text: text}
	}
	for _, tt := range []struct{ a, b, want list }{
		{list{c("ads", 5, "n")}, nil, nil},
		{nil, list{c("ads", 5, "n")}, nil},
		{list{c("ads", 5, "n"), c("news", 7, "")}, list{c("ads", 3, "n")}, list{c("ads", 3, "n")}},
		{list{c("ads", 3, "n")}, list{c("ads", 5, "m")}, list{c("ads", 3, "")}},
		{list{c("ads", 3, ""), c("news", 1, "n")}, list{c("news", 9, "n"), c("ads", 5, "m")}, list{c("ads", 3, ""), c("news", 1, "n")}},
	} {
		if got := both(slices.Clone(tt.a), tt.b); !slices.Equal(got, tt.want) {
			t.Errorf("%v and %v: %v, want %v", tt.a, tt.b, got, tt.want)
		}
	}
}
