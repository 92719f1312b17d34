package app

import (
	"context"
	"fmt"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/notice"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
)

// directory answers what the newest look-ups said, as decisions read them.
func (n *Node) directory(ctx context.Context, today programme.Day) (notice.Directory, error) {
	now, err := n.register.Current(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the register for the page of certifications: %w", err)
	}
	if now.Register.Unread != "" {
		return nil, fmt.Errorf("the register couldn't be read: %s", now.Register.Unread)
	}
	facts, maxAge := now.Register.At(today), decision.MaxAge(n.decisions.book)
	return func(scheme, entity string) (h notice.Holding) {
		for _, c := range now.Register.Checks {
			if c.Entity == entity && (c.Scheme == scheme || c.Row == scheme) && programme.FirstDay(c.Checked) <= today && c.Checked >= h.Checked {
				h.Checked, h.Status, h.Until = c.Checked, c.Status, c.ValidUntil
			}
		}
		if h.Checked == "" {
			return h
		}
		var last programme.Day
		for _, key := range []string{register.KeyCertificate(scheme, entity), register.KeyDPF(scheme, "hr", entity), register.KeyDPF(scheme, "non_hr", entity)} {
			f, ok := facts.ByKey[key]
			if !ok || !f.Holds {
				continue
			}
			until := f.Until
			if age := maxAge(key); age > 0 {
				until = min(until, f.From+programme.Day(age))
			}
			if until >= last {
				last, h.Counts = until, until >= today
			}
		}
		h.Last = last.Date()
		return h
	}, nil
}
