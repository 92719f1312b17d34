package publish

import (
	"bytes"
	"testing"
	"time"

	"domicile.dev/internal/id"
)

func tokens(day *time.Time) *Service {
	return &Service{tokens: bytes.Repeat([]byte{7}, 32), opt: Options{Now: func() time.Time { return *day }}}
}

func TestALinkIsForOneThingAndOneTime(t *testing.T) {
	day := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	s, who := tokens(&day), id.NewSubject()
	confirm, end := s.token(tokenConfirm, who, uint32(int32(s.today())+confirmDays)), s.token(tokenEnd, who, 0)
	if got, err := s.parseToken(confirm, tokenConfirm); err != nil || got != who {
		t.Errorf("to confirm: %v, %v", got, err)
	}
	if _, err := s.parseToken(end, tokenConfirm); err == nil {
		t.Error("a link to unsubscribe confirms")
	}
	if _, err := s.parseToken(confirm, tokenEnd); err == nil {
		t.Error("a link to confirm unsubscribes")
	}
	other := &Service{tokens: bytes.Repeat([]byte{8}, 32), opt: s.opt}
	if _, err := other.parseToken(end, tokenEnd); err == nil {
		t.Error("another region's link works")
	}
	day = day.AddDate(0, 0, confirmDays)
	if _, err := s.parseToken(confirm, tokenConfirm); err != nil {
		t.Errorf("on the last day: %v", err)
	}
	day = day.AddDate(10, 0, 1)
	if _, err := s.parseToken(confirm, tokenConfirm); err == nil {
		t.Error("a link to confirm works for ever")
	}
	if _, err := s.parseToken(end, tokenEnd); err != nil {
		t.Errorf("to unsubscribe, years later: %v", err)
	}
}

func TestMailable(t *testing.T) {
	for a, want := range map[string]bool{"ann@example.net": true, "ann+list@example.net": true, "a@b@c": false, "ann": false, "a b@example.net": false,
		"a@example.net\r\nBcc: x@example.net": false, "\"a\"@example.net": false, "a@[127.0.0.1]": false, "a,b@example.net": false, "ä@example.net": false} {
		if got := mailable([]byte(a)); got != want {
			t.Errorf("%q: %v", a, got)
		}
	}
}

// A link that wasn't made here names nobody, and one that was is read in its one form only.
func FuzzToken(f *testing.F) {
	day := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	s := tokens(&day)
	good := s.token(tokenEnd, id.NewSubject(), 0)
	for _, seed := range []string{"", good, good[:len(good)-1], good + "A", "####"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		for _, use := range []byte{tokenConfirm, tokenEnd} {
			who, err := s.parseToken(token, use)
			if err == nil && s.token(use, who, 0) != token && use == tokenEnd {
				t.Errorf("%q is taken", token)
			}
			if err != nil && who != (id.Subject{}) {
				t.Errorf("%q names somebody and is refused", token)
			}
		}
	})
}

func TestPauses(t *testing.T) {
	var all time.Duration
	for n := 1; n <= maxAttempts; n++ {
		p := pause(n)
		if p < 2*time.Minute || p > 12*time.Hour || p < sendTimeout {
			t.Errorf("attempt %d: %v", n, p)
		}
		all += p
	}
	if all < 48*time.Hour || all > 96*time.Hour {
		t.Errorf("a message is tried for %v", all)
	}
}
