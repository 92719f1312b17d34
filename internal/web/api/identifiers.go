package api

import (
	"context"
	"net/http"
	"time"

	"domicile.dev/internal/id"
	"domicile.dev/internal/tenant"
)

// addIdentifiers adds the calls by which a tenant changes what a person is known by.
func (a *API) addIdentifiers() {
	for _, op := range []struct {
		verb, summary, doc string
		do                 func(context.Context, *tenant.Caller, id.Subject, []Identifier) (IdentifierChange, error)
	}{
		{"retire", "Retire identifiers that a person gave up", "As when a number goes to somebody else: from now on it doesn't find the person, and events that occur later and name it are about " +
			"somebody else. What occurred before stays the person's, and goes with them. All are retired or none; again, nothing changes.", a.service.Retire},
		{"link", "Give a person further identifiers", "As when a person has a new number. Whoever has one of them becomes the same person, unless both have a user id: " +
			"409 identity.two_user_ids. All are linked or none.", a.service.Link},
	} {
		typed(a, operation{id: op.verb + "-identifiers", method: http.MethodPost, path: "/api/v1/subjects/{subject}/identifiers:" + op.verb, tag: tagPeople,
			summary: op.summary, doc: op.doc, errors: []int{404, 409, 410}},
			func(ctx context.Context, c *tenant.Caller, in *identifiersIn) (*identifiersOut, error) {
				s, err := parseSubject(in.Subject)
				if err != nil {
					return nil, err
				}
				ids := make([]Identifier, len(in.Body.Identifiers))
				for i, ident := range in.Body.Identifiers {
					ids[i] = Identifier(ident)
				}
				if err := checkIdentifiers(ids); err != nil {
					return nil, err
				}
				v, err := op.do(ctx, c, s, ids)
				if err != nil {
					return nil, err
				}
				return &identifiersOut{identifiersBody{Subject: v.Subject.String(), Changed: v.Changed, Ledger: refOf(v.Ledger)}}, nil
			})
	}
}

type identifiersIn struct {
	Subject string `path:"subject" doc:"the person's id, from :find"`
	Body    findBody
}

type identifiersOut struct{ Body identifiersBody }

type identifiersBody struct {
	Subject string  `json:"subject" doc:"the person's id after the change"`
	Changed int     `json:"changed" doc:"how many identifiers were not so before"`
	Ledger  refBody `json:"ledger"`
}

type knownIdentifiers struct {
	Type       string     `json:"type"`
	Value      string     `json:"value"`
	State      string     `json:"state" enum:"known,claimed,shared,retired" doc:"claimed: a public source alone says so; shared: several people go by it; retired: the person had it, and it finds them no more"`
	Claimed    bool       `json:"claimed,omitempty" doc:"only a public source says so"`
	Shared     bool       `json:"shared,omitempty" doc:"several people go by it"`
	SharedWith []string   `json:"shared_with,omitempty" doc:"the others"`
	Source     string     `json:"source,omitempty" doc:"the source that said so first, or the token that linked it"`
	Since      time.Time  `json:"since" doc:"when it was first said"`
	RetiredAt  *time.Time `json:"retired_at,omitempty"`
}

type refusedLinkBody struct {
	Reason  string    `json:"reason" doc:"identity.two_user_ids: both people have a user id of their own, so they stay two; identity.claim_ignored: a public source spoke of somebody that it may not speak of"`
	Type    string    `json:"type" doc:"of the identifier that said so; its value isn't kept here"`
	With    string    `json:"with,omitempty" doc:"with whom they would have been one person"`
	Source  string    `json:"source"`
	Count   int64     `json:"count"`
	FirstAt time.Time `json:"first_at"`
	LastAt  time.Time `json:"last_at"`
}

// identifiersOf is what a person is known by over the wire.
func identifiersOf(views []IdentifierView) []knownIdentifiers {
	out := make([]knownIdentifiers, len(views))
	for i, v := range views {
		out[i] = knownIdentifiers{Type: v.Type, Value: v.Value, State: v.State, Claimed: v.Claimed, Shared: v.Shared, Source: v.Source,
			Since: v.Since.UTC(), RetiredAt: wireTime(&v.RetiredAt)}
		if len(v.SharedWith) > 0 {
			out[i].SharedWith = subjectTexts(v.SharedWith)
		}
	}
	return out
}

// refusedOf is what was not followed over the wire.
func refusedOf(views []RefusedLinkView) []refusedLinkBody {
	out := make([]refusedLinkBody, len(views))
	for i, v := range views {
		out[i] = refusedLinkBody{Reason: v.Reason, Type: v.Type, Source: v.Source, Count: v.Count, FirstAt: v.FirstAt.UTC(), LastAt: v.LastAt.UTC()}
		if !v.With.IsNobody() {
			out[i].With = v.With.String()
		}
	}
	return out
}
