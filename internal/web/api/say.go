package api

import (
	"context"
	"net/http"
	"time"

	"domicile.dev/internal/consent"
	"domicile.dev/internal/tenant"
)

// addSay adds the calls by which a tenant brings what a person says.
func (a *API) addSay() {
	typed(a, operation{id: "consent-subject", method: http.MethodPost, path: "/api/v1/subjects/{subject}:consent", tag: tagPeople,
		summary: "Keep a consent, a refusal or a withdrawal", errors: []int{404, 409, 410, 422},
		doc: "Later words win, by the time at which the person spoke; one in the future counts as now. The history is kept, and every flow's next batch goes by what stands."},
		func(ctx context.Context, c *tenant.Caller, in *consentIn) (*sayOut, error) {
			b := &in.Body
			return a.say(ctx, c, in.Subject, Say{About: consent.Consent(b.Purpose), Word: b.Word, Text: b.TextVersion}, b.At, b.How)
		})
	for _, op := range []struct{ verb, summary, doc, word string }{
		{"object", "Keep an objection to a purpose", "GDPR art. 21.", consent.Objects},
		{"unobject", "End an objection", "The objection stays in the history.", consent.Lifted},
	} {
		typed(a, operation{id: op.verb + "-subject", method: http.MethodPost, path: "/api/v1/subjects/{subject}:" + op.verb, tag: tagPeople,
			summary: op.summary, doc: op.doc, errors: []int{404, 409, 410, 422}},
			func(ctx context.Context, c *tenant.Caller, in *objectIn) (*sayOut, error) {
				return a.say(ctx, c, in.Subject, Say{About: consent.Objection(in.Body.Purpose), Word: op.word}, in.Body.At, in.Body.How)
			})
	}
	for _, op := range []struct{ verb, summary, doc, word string }{
		{"optout", "Keep an opt-out", "It holds in every channel and for all that the person is known by.", consent.Out},
		{"optin", "End an opt-out", "Whatever channel it was made in. It stays in the history.", consent.In},
	} {
		typed(a, operation{id: op.verb + "-subject", method: http.MethodPost, path: "/api/v1/subjects/{subject}:" + op.verb, tag: tagPeople,
			summary: op.summary, doc: op.doc, errors: []int{404, 409, 410}},
			func(ctx context.Context, c *tenant.Caller, in *optOutIn) (*sayOut, error) {
				return a.say(ctx, c, in.Subject, Say{About: consent.OptOut(in.Body.OptOut), Word: op.word}, in.Body.At, in.Body.How)
			})
	}
}

type consentIn struct {
	Subject string `path:"subject" doc:"the person's id, from :find"`
	Body    struct {
		Purpose     string     `json:"purpose" minLength:"1" maxLength:"64" doc:"a purpose of the programme"`
		Word        string     `json:"word" enum:"given,refused,withdrawn"`
		TextVersion string     `json:"text_version,omitempty" pattern:"^[A-Za-z0-9][A-Za-z0-9._:/+-]{0,63}$" example:"privacy-2026-11" doc:"version of the text that the person saw"`
		At          *time.Time `json:"at,omitempty" doc:"when the person said it; now when left out"`
		How         string     `json:"how,omitempty" pattern:"^[a-z0-9][a-z0-9_-]{0,31}$" example:"form" doc:"how it came: form, call, letter …; api when left out"`
	}
}

type objectIn struct {
	Subject string `path:"subject" doc:"the person's id, from :find"`
	Body    struct {
		Purpose string     `json:"purpose" minLength:"1" maxLength:"64" doc:"a purpose of the programme"`
		At      *time.Time `json:"at,omitempty" doc:"when the person said it; now when left out"`
		How     string     `json:"how,omitempty" pattern:"^[a-z0-9][a-z0-9_-]{0,31}$" example:"form" doc:"how it came: form, call, letter …; api when left out"`
	}
}

type optOutIn struct {
	Subject string `path:"subject" doc:"the person's id, from :find"`
	Body    struct {
		OptOut string     `json:"opt_out" enum:"marketing,cpni,targeted_advertising,sale_or_sharing,gpc"`
		At     *time.Time `json:"at,omitempty" doc:"when the person said it; now when left out"`
		How    string     `json:"how,omitempty" pattern:"^[a-z0-9][a-z0-9_-]{0,31}$" example:"form" doc:"how it came: form, call, letter …; api when left out"`
	}
}

type sayOut struct {
	Body struct {
		Subject  string        `json:"subject"`
		Consents []consentBody `json:"consents" nullable:"false" doc:"all that the person says now"`
		Ledger   refBody       `json:"ledger"`
	}
}

func (a *API) say(ctx context.Context, c *tenant.Caller, subject string, say Say, at *time.Time, how string) (*sayOut, error) {
	s, err := parseSubject(subject)
	if err != nil {
		return nil, err
	}
	if say.How = how; at != nil {
		say.At = at.UTC()
	}
	v, err := a.service.Tell(ctx, c, s, say)
	if err != nil {
		return nil, err
	}
	out := &sayOut{}
	out.Body.Subject, out.Body.Consents, out.Body.Ledger = v.Subject.String(), saysOf(v.Says), refOf(v.Ledger)
	return out, nil
}

// consentBody is one thing that somebody says, or once said.
type consentBody struct {
	Kind        string        `json:"kind" enum:"consent,objection,opt_out"`
	Purpose     string        `json:"purpose,omitempty" doc:"of a consent or an objection"`
	OptOut      string        `json:"opt_out,omitempty" doc:"of an opt-out: marketing, cpni, targeted_advertising, sale_or_sharing, gpc"`
	Word        string        `json:"word" enum:"given,refused,withdrawn,objects,lifted,out,in"`
	Given       bool          `json:"given" doc:"a consent that stands"`
	At          time.Time     `json:"at" doc:"when the person said it"`
	ReceivedAt  time.Time     `json:"received_at"`
	How         string        `json:"how" doc:"sdk, signal, keyword, event, or as the tenant said"`
	Source      string        `json:"source" doc:"id of the source or the token"`
	TextVersion string        `json:"text_version,omitempty"`
	AskAgain    *askAgainBody `json:"ask_again,omitempty" doc:"of a consent that has to be asked for again"`
}

func saysOf(all []SayView) []consentBody {
	out := make([]consentBody, len(all))
	for i := range all {
		v := &all[i]
		kind, name := v.About.Of()
		b := consentBody{Kind: kind, Word: v.Word, Given: v.Word == consent.Given, At: v.At.UTC(), ReceivedAt: v.ReceivedAt.UTC(), How: v.How, Source: v.Source, TextVersion: v.Text, AskAgain: askAgainOf(v.Again)}
		if kind == "opt_out" {
			b.OptOut = name
		} else {
			b.Purpose = name
		}
		out[i] = b
	}
	return out
}
