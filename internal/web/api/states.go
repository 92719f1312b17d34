package api

import (
	"context"
	"net/http"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/tenant"
)

// addStates adds the calls that restrict and hold a person.
func (a *API) addStates() {
	for _, op := range []struct {
		verb, summary, doc string
		do                 func(context.Context, *tenant.Caller, id.Subject, string) (StateChange, error)
	}{
		{"restrict", "Restrict a person's data", "GDPR art. 18: still stored, and collected; read only for a purpose of art. 18(2), and in no flow.", a.service.Restrict},
		{"unrestrict", "End a restriction", "", a.service.Unrestrict},
		{"release", "End a legal hold", "", a.service.Release},
	} {
		typed(a, operation{id: op.verb + "-subject", method: http.MethodPost, path: "/api/v1/subjects/{subject}:" + op.verb, tag: tagPeople, optional: true,
			summary: op.summary, doc: op.doc, errors: []int{404, 409, 410}},
			func(ctx context.Context, c *tenant.Caller, in *reasonIn) (*stateOut, error) {
				s, err := parseSubject(in.Subject)
				if err != nil {
					return nil, err
				}
				var reason string
				if in.Body != nil {
					reason = in.Body.Reason
				}
				return stateOf(op.do(ctx, c, s, reason))
			})
	}
	typed(a, operation{id: "hold-subject", method: http.MethodPost, path: "/api/v1/subjects/{subject}:hold", tag: tagPeople, optional: true,
		summary: "Put a person under a legal hold", doc: "While it is in force :erase answers 409 hold.in_force.", errors: []int{404, 409, 410}}, a.hold)
}

type reasonIn struct {
	Subject string      `path:"subject" doc:"the person's id, from :find"`
	Body    *reasonBody `required:"false"`
}

type holdIn struct {
	Subject string    `path:"subject" doc:"the person's id, from :find"`
	Body    *holdBody `required:"false"`
}

type stateOut struct{ Body stateBody }

func (a *API) hold(ctx context.Context, c *tenant.Caller, in *holdIn) (*stateOut, error) {
	s, err := parseSubject(in.Subject)
	if err != nil {
		return nil, err
	}
	var reason string
	var until time.Time
	if in.Body != nil {
		if reason = in.Body.Reason; in.Body.Until != nil {
			until = in.Body.Until.UTC()
		}
	}
	if !until.IsZero() && !until.After(a.opt.Now()) {
		return nil, fault.New(fault.Invalid, "hold.past", "until is a time to come")
	}
	return stateOf(a.service.Hold(ctx, c, s, reason, until))
}

// stateOf is a change over the wire.
func stateOf(v StateChange, err error) (*stateOut, error) {
	if err != nil {
		return nil, err
	}
	return &stateOut{stateBody{Subject: v.Subject.String(), States: list(v.States), HoldUntil: wireTime(v.HoldUntil), Ledger: refOf(v.Ledger)}}, nil
}

func refOf(r Ref) refBody { return refBody{Entry: r.Entry.String(), Index: &r.Index} }
