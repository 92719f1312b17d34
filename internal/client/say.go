package client

import (
	"context"
	"net/url"
	"time"
)

// Consent is one thing that a person says, or once said: a consent, an objection or an opt-out.
type Consent struct {
	Kind        string    `json:"kind"` // consent, objection or opt_out
	Purpose     string    `json:"purpose,omitempty"`
	OptOut      string    `json:"opt_out,omitempty"`
	Word        string    `json:"word"` // given, refused, withdrawn; objects, lifted; out, in
	Given       bool      `json:"given"`
	At          time.Time `json:"at"`
	ReceivedAt  time.Time `json:"received_at"`
	How         string    `json:"how"`
	Source      string    `json:"source"`
	TextVersion string    `json:"text_version,omitempty"`
	AskAgain    *AskAgain `json:"ask_again,omitempty"`
}

// Said is when and how a person said something. The zero value is now, by the API.
type Said struct {
	At  time.Time
	How string
}

// SayChange is what a person says after a change.
type SayChange struct {
	Subject  string    `json:"subject"`
	Consents []Consent `json:"consents"`
	Ledger   Ledger    `json:"ledger"`
}

// Consent keeps that a person gave, refused or withdrew consent to a purpose, as said in that version of
// the text; "" when nobody knows. Faults: NotFound; Unprocessable for a purpose that isn't declared.
func (c *Client) Consent(ctx context.Context, subject, purpose, word, text string, said Said) (SayChange, error) {
	body := map[string]any{"purpose": purpose, "word": word}
	if text != "" {
		body["text_version"] = text
	}
	return c.say(ctx, subject, "consent", body, said)
}

// Object keeps an objection to a purpose (GDPR art. 21), or ends it.
func (c *Client) Object(ctx context.Context, subject, purpose string, end bool, said Said) (SayChange, error) {
	verb := "object"
	if end {
		verb = "unobject"
	}
	return c.say(ctx, subject, verb, map[string]any{"purpose": purpose}, said)
}

// OptOut keeps an opt-out, or ends it.
func (c *Client) OptOut(ctx context.Context, subject, name string, end bool, said Said) (SayChange, error) {
	verb := "optout"
	if end {
		verb = "optin"
	}
	return c.say(ctx, subject, verb, map[string]any{"opt_out": name}, said)
}

func (c *Client) say(ctx context.Context, subject, verb string, body map[string]any, said Said) (s SayChange, err error) {
	if !said.At.IsZero() {
		body["at"] = said.At.UTC()
	}
	if said.How != "" {
		body["how"] = said.How
	}
	return s, c.post(ctx, "/subjects/"+url.PathEscape(subject)+":"+verb, body, &s)
}
