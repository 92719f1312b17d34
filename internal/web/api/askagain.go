package api

import (
	"context"
	"net/http"
	"time"

	"domicile.dev/internal/id"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/tenant"
)

// ConsentCounter counts consents that stand.
type ConsentCounter interface {
	// ConsentCounts are those of the tenants that c may see, together. At is zero while they were never counted.
	ConsentCounts(ctx context.Context, c *tenant.Caller) (ConsentCounts, error)
}

// ConsentCounts are counts as of a time.
type ConsentCounts struct {
	At     time.Time
	Counts []plane.ConsentCount
}

// addAskAgain adds the list of consents that have to be asked for again.
func (a *API) addAskAgain() {
	typed(a, operation{id: "list-ask-again", method: http.MethodGet, path: "/api/v1/consents/ask-again", tag: tagPeople, errors: []int{422, 503},
		summary: "List the consents that have to be asked for again",
		doc: "A version of the notice changed what they were given for. Each counts until the day before `from`, and from then on it counts as none, until the person says yes again. " +
			"By subject, `limit` people at most; a page may be short or empty and have a next one."}, a.askAgain)
}

type (
	askAgainBody struct {
		Version string `json:"version" example:"v3" doc:"of the notice, that changed what the consent was given for"`
		From    string `json:"from" format:"date" doc:"first day on which it doesn't count any more"`
	}
	againBody struct {
		Subject     string       `json:"subject"`
		Purpose     string       `json:"purpose"`
		At          time.Time    `json:"at" doc:"when it was given"`
		TextVersion string       `json:"text_version,omitempty"`
		Counts      bool         `json:"counts" doc:"it still counts today"`
		AskAgain    askAgainBody `json:"ask_again"`
	}
	againsBody struct {
		Consents []againBody `json:"consents" nullable:"false"`
		Next     string      `json:"next,omitempty" doc:"after of the next page"`
	}
	consentCountBody struct {
		Purpose  string `json:"purpose"`
		Current  int64  `json:"current" doc:"people whose consent counts as it was given"`
		ToAsk    int64  `json:"to_ask" doc:"whose consent counts for now and has to be asked for again"`
		Outdated int64  `json:"outdated" doc:"whose consent doesn't count until they give it again"`
	}
)

// askAgainOf is v over the wire, nil for none.
func askAgainOf(v *plane.Again) *askAgainBody {
	if v == nil {
		return nil
	}
	return &askAgainBody{v.Version, string(v.From.Date())}
}

func (a *API) askAgain(ctx context.Context, c *tenant.Caller, in *struct {
	Purpose string `query:"purpose" maxLength:"64" doc:"only consents to this purpose"`
	After   string `query:"after" doc:"next of the page before"`
	Limit   int    `query:"limit" default:"100" minimum:"1" maximum:"1000" doc:"people in a page"`
}) (*out[againsBody], error) {
	var after id.Subject
	if in.After != "" {
		var err error
		if after, err = parseSubject(in.After); err != nil {
			return nil, err
		}
	}
	page, err := a.service.AskAgain(ctx, c, in.Purpose, after, in.Limit)
	if err != nil {
		return nil, err
	}
	b := againsBody{Consents: make([]againBody, len(page.Consents))}
	for i := range page.Consents {
		v := &page.Consents[i]
		b.Consents[i] = againBody{Subject: v.Subject.String(), Purpose: v.Purpose, At: v.At.UTC(), TextVersion: v.Text, Counts: v.Counts, AskAgain: *askAgainOf(&v.Again)}
	}
	if !page.Next.IsNobody() {
		b.Next = page.Next.String()
	}
	return &out[againsBody]{b}, nil
}

// consentCounts adds to a list of versions how many consents stand.
func (a *API) consentCounts(ctx context.Context, c *tenant.Caller, b *noticeVersionsBody) error {
	if a.opt.Consents == nil {
		return nil
	}
	counts, err := a.opt.Consents.ConsentCounts(ctx, c)
	if err != nil || counts.At.IsZero() {
		return err
	}
	b.ConsentsAt = &counts.At
	for _, n := range counts.Counts {
		b.Consents = append(b.Consents, consentCountBody(n))
	}
	return nil
}
