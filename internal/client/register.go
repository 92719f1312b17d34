package client

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"time"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/register"
)

// Fact is a fact of a region's register, or the end of one.
type Fact struct {
	ID       string          `json:"id"`
	Seq      int64           `json:"seq"`
	Kind     string          `json:"kind"`
	Fact     json.RawMessage `json:"fact,omitempty"` // missing where one was struck
	Ends     int64           `json:"ends,omitempty"`
	Assumed  bool            `json:"assumed,omitempty"`
	At       time.Time       `json:"at"`
	By       string          `json:"by"`
	Entry    string          `json:"entry"`
	Already  bool            `json:"already,omitempty"`
	Standing bool            `json:"standing"`
}

// Facts are some of a register.
type Facts struct {
	Version string `json:"version"`
	Seq     int64  `json:"seq"`
	Facts   []Fact `json:"facts"`
	Next    int64  `json:"next,omitempty"`
}

// NewFact is a fact to be added.
type NewFact struct {
	Kind     string          `json:"kind"`
	Fact     json.RawMessage `json:"fact"`
	Replaces string          `json:"replaces,omitempty"`
}

// FactsQuery says which facts are listed; the zero value is all that stand.
type FactsQuery struct {
	Kind, About string
	History     bool
}

// Facts lists facts, page by page.
func (c *Client) Facts(ctx context.Context, q FactsQuery) (all Facts, err error) {
	for after := int64(0); ; {
		v := url.Values{"limit": {"1000"}, "after": {strconv.FormatInt(after, 10)}}
		for name, x := range map[string]string{"kind": q.Kind, "about": q.About} {
			if x != "" {
				v.Set(name, x)
			}
		}
		if q.History {
			v.Set("history", "true")
		}
		var page Facts
		if err := c.get(ctx, "/register", v, &page); err != nil {
			return all, err
		}
		all.Version, all.Seq, all.Facts = page.Version, page.Seq, append(all.Facts, page.Facts...)
		if after = page.Next; after == 0 {
			return all, nil
		}
	}
}

// AddFacts adds facts, all or none.
func (c *Client) AddFacts(ctx context.Context, facts ...NewFact) (f Facts, err error) {
	return f, c.post(ctx, "/register", map[string]any{"facts": facts}, &f)
}

// StrikeFact ends a fact.
func (c *Client) StrikeFact(ctx context.Context, fact string) (f Facts, err error) {
	return f, c.post(ctx, "/register/"+url.PathEscape(fact)+":strike", nil, &f)
}

// Due lists what lapses within so many days, or has.
func (c *Client) Due(ctx context.Context, days int) (all []register.Due, err error) {
	var b struct {
		Due []register.Due `json:"due"`
	}
	err = c.get(ctx, "/register/due", url.Values{"within": {strconv.Itoa(days)}}, &b)
	return b.Due, err
}

// Question is what Decide asks; docs/formats/decision.md has its members.
type Question struct {
	decision.Ask
	Without []string
	Subject string
	At      string
}

// Decide asks the node whether data may leave.
func (c *Client) Decide(ctx context.Context, q Question) (d decision.Decision, err error) {
	body := map[string]any{"flow": q.Flow, "kind": q.Kind}
	for name, x := range map[string]string{"service": q.Service, "tenant": q.Tenant, "recipient": q.Recipient, "purpose": q.Purpose, "region": q.Region,
		"form": q.Form, "case": q.Case, "subject": q.Subject, "at": q.At} {
		if x != "" {
			body[name] = x
		}
	}
	for name, x := range map[string][]string{"categories": q.Categories, "origins": q.Origins, "without": q.Without, "states": q.States, "opt_outs": q.OptOuts,
		"consents": q.Consents, "objects": q.Objects} {
		if len(x) > 0 {
			body[name] = x
		}
	}
	if q.Unknown {
		body["unknown"] = true
	}
	return d, c.post(ctx, "/decide", body, &d)
}

// Volumes is how much came in of the tenants that the caller may see.
type Volumes struct {
	Region  string    `json:"region"`
	Since   time.Time `json:"since"`
	Tenants []string  `json:"tenants"`
	Volumes []struct {
		Tenant  string `json:"tenant"`
		Service string `json:"service"`
		Kind    string `json:"kind"`
		Records int64  `json:"records"`
	} `json:"volumes"`
}

// Volumes counts what came in during the last days.
func (c *Client) Volumes(ctx context.Context, days int) (v Volumes, err error) {
	return v, c.get(ctx, "/volumes", url.Values{"days": {strconv.Itoa(days)}}, &v)
}
