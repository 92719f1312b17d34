package mail_test

import (
	"context"
	"io"
	"mime/quotedprintable"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/mail"
	"domicile.dev/internal/mail/mailtest"
	"domicile.dev/internal/plain"
	"domicile.dev/internal/publish"
)

func letter() publish.Letter {
	return publish.Letter{ID: "news.3.sbr_x.1@ie1.example.com", To: plain.New([]byte("ann@example.net")), Subject: "Grüße", Text: "one = two\n" + strings.Repeat("x", 200) + "\n",
		At:      time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC),
		Headers: [][2]string{{"List-Unsubscribe", "<https://ie1.example.com/privacy/subscriptions/end/" + strings.Repeat("a", 80) + ">"}, {"List-Unsubscribe-Post", "List-Unsubscribe=One-Click"}}}
}

func TestALetterArrivesAsItWasWritten(t *testing.T) {
	s := mailtest.Start(t)
	m, err := mail.New(mail.Options{Host: s.Host, Port: s.Port, TLS: mail.Plain, From: "Privacy <privacy@example.com>"})
	if err != nil {
		t.Fatal(err)
	}
	l := letter()
	for range 2 { // the same letter again has the same id
		if err := m.Send(context.Background(), l); err != nil {
			t.Fatal(err)
		}
	}
	got := s.Letters()
	if len(got) != 2 || got[0].To != "ann@example.net" || got[0].From != "privacy@example.com" {
		t.Fatalf("%+v", got)
	}
	for _, g := range got {
		msg, err := netmail.ReadMessage(strings.NewReader(g.Raw))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(quotedprintable.NewReader(msg.Body))
		if want := l.Text; strings.ReplaceAll(string(body), "\r\n", "\n") != want {
			t.Errorf("body %q, want %q", body, want)
		}
		for name, want := range map[string]string{"Message-Id": "<" + l.ID + ">", "List-Unsubscribe": l.Headers[0][1], "List-Unsubscribe-Post": "List-Unsubscribe=One-Click", "Date": "Wed, 25 Nov 2026 10:00:00 +0000"} {
			if got := msg.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	}
}

// What a relay says of an address never gets further than its code.
func TestARelaysNo(t *testing.T) {
	s := mailtest.Start(t)
	m, err := mail.New(mail.Options{Host: s.Host, Port: s.Port, TLS: mail.Plain, From: "privacy@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		code   int
		kind   fault.Kind
		reason string
	}{{450, fault.Unavailable, "smtp.450"}, {550, fault.Unprocessable, "smtp.550"}} {
		s.Refuse(func(to string) *smtp.SMTPError {
			return &smtp.SMTPError{Code: tt.code, EnhancedCode: smtp.EnhancedCode{tt.code / 100, 1, 1}, Message: "no such person: " + to}
		})
		err := m.Send(context.Background(), letter())
		if fault.KindOf(err) != tt.kind || fault.ReasonOf(err) != tt.reason || strings.Contains(err.Error(), "ann") {
			t.Errorf("%d: %v", tt.code, err)
		}
	}
	gone, err := mail.New(mail.Options{Host: "127.0.0.1", Port: 1, TLS: mail.Plain, From: "privacy@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Send(context.Background(), letter()); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("no relay: %v", err)
	}
	strict, err := mail.New(mail.Options{Host: s.Host, Port: s.Port, TLS: mail.StartTLS, From: "privacy@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	s.Refuse(nil)
	if err := strict.Send(context.Background(), letter()); err == nil || len(s.Letters()) > 0 {
		t.Errorf("a relay without TLS took it: %v", err)
	}
	if _, err := mail.New(mail.Options{From: "nobody"}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a sender that is none: %v", err)
	}
}
