// Package mail sends letters through an operator's SMTP relay. DKIM is the relay's.
package mail

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	gomail "github.com/wneessen/go-mail"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/publish"
)

// Ways to protect the connection.
const (
	StartTLS = "starttls" // begin in clear and refuse to go on without TLS
	TLS      = "tls"      // TLS from the first byte
	Plain    = "none"     // for a relay on this machine
)

// Options says where the relay is. Host, Port, TLS and From are needed.
type Options struct {
	Host           string
	Port           int
	TLS            string
	User, Password string // none: without signing in
	From           string // "Privacy <privacy@example.com>"
	// Patience is how long the relay may take for each step. Default 20 s.
	Patience time.Duration
}

// Mailer implements publish.Mailer. Each letter takes a connection of its own: there are few.
type Mailer struct {
	opt Options
}

var _ publish.Mailer = (*Mailer)(nil)

// New returns a Mailer. Fault: Invalid for a sender that is no address.
func New(opt Options) (*Mailer, error) {
	if opt.Patience <= 0 {
		opt.Patience = 20 * time.Second
	}
	m := gomail.NewMsg()
	if err := m.From(opt.From); err != nil {
		return nil, fault.New(fault.Invalid, "mail.bad_from", "mail.from is no address").WithHint("such as Privacy <privacy@example.com>")
	}
	return &Mailer{opt}, nil
}

// Send implements publish.Mailer.
func (m *Mailer) Send(ctx context.Context, l publish.Letter) error {
	msg := gomail.NewMsg()
	if err := errors.Join(msg.From(m.opt.From), msg.AddTo(string(l.To.Reveal()))); err != nil {
		return fault.New(fault.Unprocessable, "smtp.bad_address", "the address can't be written to") // the cause quotes it
	}
	msg.Subject(l.Subject)
	msg.SetMessageIDWithValue(l.ID)
	msg.SetDateWithValue(l.At)
	for _, h := range l.Headers {
		msg.SetGenHeaderPreformatted(gomail.Header(h[0]), h[1])
	}
	msg.SetBodyString(gomail.TypeTextPlain, l.Text)
	c, err := m.client()
	if err != nil {
		return fmt.Errorf("make a mail client: %w", err)
	}
	return judge(c.DialAndSendWithContext(ctx, msg))
}

func (m *Mailer) client() (*gomail.Client, error) {
	opts := []gomail.Option{gomail.WithPort(m.opt.Port), gomail.WithTimeout(m.opt.Patience)}
	switch m.opt.TLS {
	case TLS:
		opts = append(opts, gomail.WithSSL())
	case Plain:
		opts = append(opts, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		opts = append(opts, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if m.opt.User != "" {
		opts = append(opts, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(m.opt.User), gomail.WithPassword(m.opt.Password))
	}
	return gomail.NewClient(m.opt.Host, opts...)
}

// judge says of an error whether it is for good, and nothing else of it: servers quote addresses.
func judge(err error) error {
	if err == nil {
		return nil
	}
	var s *gomail.SendError
	if !errors.As(err, &s) || s.ErrorCode() == 0 {
		return fault.New(fault.Unavailable, "smtp.unreachable", "the mail relay doesn't take the letter")
	}
	reason := "smtp." + strconv.Itoa(s.ErrorCode())
	if s.ErrorCode() >= 500 && !s.IsTemp() {
		return fault.New(fault.Unprocessable, reason, "the mail relay refuses the letter")
	}
	return fault.New(fault.Unavailable, reason, "the mail relay doesn't take the letter now")
}
