package app

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"domicile.dev/internal/notice"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/web/centre"
	"domicile.dev/internal/web/guard"
)

// live are the pages that show what is so at the moment.
func (n *Node) live() map[string]centre.Live {
	return map[string]centre.Live{
		"/privacy/regions": func(_ context.Context, lang string) (*notice.Document, error) {
			return notice.RegionsSeen(n.rules.p.In(lang), n.neighbours.checks(), time.Now().UTC().Format(time.RFC3339)), nil
		},
		"/privacy/safeguards": func(ctx context.Context, lang string) (*notice.Document, error) {
			s, err := n.safeguards(ctx)
			if err != nil {
				return nil, err
			}
			return notice.Safeguards(n.rules.p.In(lang), s), nil
		},
		"/privacy/certifications": func(ctx context.Context, lang string) (*notice.Document, error) {
			now := n.Publish.Now()
			today := programme.DayOf(now)
			look, err := n.directory(ctx, today)
			if err != nil {
				return nil, err
			}
			return notice.Certifications(n.rules.p.In(lang), look, today, now.UTC().Format(time.RFC3339)), nil
		},
		"/privacy/assurance": func(ctx context.Context, _ string) (*notice.Document, error) {
			now := n.Publish.Now()
			today := programme.DayOf(now)
			look, err := n.directory(ctx, today)
			if err != nil {
				return nil, err
			}
			return notice.Assurance(n.rules.p, look, today, now.UTC().Format(time.RFC3339)), nil
		},
		"/privacy/controls": func(ctx context.Context, _ string) (*notice.Document, error) {
			s, err := n.safeguards(ctx)
			if err != nil {
				return nil, err
			}
			return notice.Controls(n.rules.p, s), nil
		},
		"/privacy/transfers": func(ctx context.Context, _ string) (*notice.Document, error) {
			seen, err := (&pages{n: n}).seen(ctx, programme.DayOf(n.Publish.Now()), n.rules.p.Notice.Language)
			if err != nil {
				return nil, err
			}
			return notice.Transfers(n.rules.p, seen), nil
		},
		"/privacy/documents": func(context.Context, string) (*notice.Document, error) {
			return notice.Documents(n.rules.p, programme.DayOf(n.Publish.Now())), nil
		},
	}
}

// here says which region this node is of, to the nodes of others that show it.
func (n *Node) here(w http.ResponseWriter, _ *http.Request) {
	b, err := json.Marshal(notice.HereOf(n.rules.p, n.Config.Region))
	if err != nil {
		guard.Fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, err = w.Write(append(b, '\n'))
	guard.Note(w, err)
}
