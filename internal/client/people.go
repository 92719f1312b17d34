package client

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Identifier is what a person is known by, in the clear.
type Identifier struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// Found is whom identifiers name.
type Found struct {
	Subject string   `json:"subject"`
	Claimed []string `json:"claimed,omitempty"`
}

// Subject is what is known of a person.
type Subject struct {
	Subject     string            `json:"subject"`
	Members     []string          `json:"members"`
	Identifiers []KnownIdentifier `json:"identifiers"`
	States      []string          `json:"states"`
	HoldUntil   *time.Time        `json:"hold_until,omitempty"`
	Consents    []Consent         `json:"consents"`
	Said        []Consent         `json:"said,omitempty"` // the newest first
	Origins     []Origin          `json:"origins,omitempty"`
	Counts      map[string]int64  `json:"counts"`
	CreatedAt   time.Time         `json:"created_at"`
	Traits      *Traits           `json:"traits,omitempty"`

	Refused []RefusedLink `json:"refused_links,omitempty"`

	// TraitsWithheld says why there are no traits: "restricted".
	TraitsWithheld string `json:"traits_withheld,omitempty"`
}

// Origin is a country whose law the person brings: By is residence or phone_country.
type Origin struct {
	Country string     `json:"country"`
	By      string     `json:"by"`
	At      *time.Time `json:"at,omitempty"`     // of a residence
	Source  string     `json:"source,omitempty"` // of a residence
}

// Traits are what identify records say of a person now.
type Traits struct {
	Current map[string]json.RawMessage `json:"current"`
	From    map[string]TraitFrom       `json:"from"`
	Sources []SourceTraits             `json:"sources"`
	Partial bool                       `json:"partial,omitempty"`
}

// TraitFrom says who said a trait, and when.
type TraitFrom struct {
	Source  string    `json:"source"`
	AsOf    time.Time `json:"as_of"`
	Claimed bool      `json:"claimed,omitempty"`
}

// SourceTraits are what one source says; Record is its latest identify.
type SourceTraits struct {
	Source     string                     `json:"source"`
	Claimed    bool                       `json:"claimed,omitempty"`
	AsOf       time.Time                  `json:"as_of"`
	ReceivedAt time.Time                  `json:"received_at"`
	Record     string                     `json:"record"`
	Traits     map[string]json.RawMessage `json:"traits"`
}

// KnownIdentifier is one identifier of a person.
type KnownIdentifier struct {
	Type       string     `json:"type"`
	Value      string     `json:"value"`
	State      string     `json:"state"` // known, claimed, shared or retired
	Claimed    bool       `json:"claimed,omitempty"`
	Shared     bool       `json:"shared,omitempty"`
	SharedWith []string   `json:"shared_with,omitempty"`
	Source     string     `json:"source,omitempty"`
	Since      time.Time  `json:"since"`
	RetiredAt  *time.Time `json:"retired_at,omitempty"`
}

// RefusedLink is what was said of a person's identity and not followed.
type RefusedLink struct {
	Reason  string    `json:"reason"`
	Type    string    `json:"type"`
	With    string    `json:"with,omitempty"`
	Source  string    `json:"source"`
	Count   int64     `json:"count"`
	FirstAt time.Time `json:"first_at"`
	LastAt  time.Time `json:"last_at"`
}

// IdentifierChange is what became of a person's identifiers.
type IdentifierChange struct {
	Subject string `json:"subject"`
	Changed int    `json:"changed"`
	Ledger  Ledger `json:"ledger"`
}

// Record is one record as its tenant reads it.
type Record struct {
	ID         string          `json:"id"`
	ClientID   string          `json:"client_id"`
	Kind       string          `json:"kind"`
	Service    string          `json:"service"`
	OccurredAt time.Time       `json:"occurred_at"`
	ReceivedAt time.Time       `json:"received_at"`
	Categories []string        `json:"categories"`
	Gone       []string        `json:"gone,omitempty"`
	Media      []Media         `json:"media,omitempty"`
	Data       json.RawMessage `json:"data"`
}

// Media is a recording or attachment of a record.
type Media struct {
	ID         string    `json:"id"`
	N          int       `json:"n"`
	Type       string    `json:"type"`
	Name       string    `json:"name,omitempty"`
	Bytes      int64     `json:"bytes"`
	ReceivedAt time.Time `json:"received_at"`
}

// Page is some records; Next is "" on the last.
type Page struct {
	Records []Record `json:"records"`
	Next    string   `json:"next,omitempty"`
}

// Query selects records. The zero value is the newest hundred.
type Query struct {
	Kind, After, Purpose string
	Limit                int
}

// Ledger names a ledger entry.
type Ledger struct {
	Entry string `json:"entry"`
	Index *int64 `json:"index"`
}

// Receipt is proof of an erasure.
type Receipt struct {
	Receipt         string    `json:"receipt"`
	ErasedAt        time.Time `json:"erased_at"`
	UnrecoverableBy time.Time `json:"unrecoverable_by"`
	Records         int64     `json:"records"`
	Ledger          Ledger    `json:"ledger"`
	Already         bool      `json:"already,omitempty"`
}

// StateChange is a person's states after a change.
type StateChange struct {
	Subject   string     `json:"subject"`
	States    []string   `json:"states"`
	HoldUntil *time.Time `json:"hold_until,omitempty"`
	Ledger    Ledger     `json:"ledger"`
}

// Find returns whom the identifiers name. Faults: NotFound; Conflict "subject.ambiguous" with the
// ids under "subjects".
func (c *Client) Find(ctx context.Context, ids ...Identifier) (f Found, err error) {
	return f, c.post(ctx, "/subjects:find", map[string]any{"identifiers": ids}, &f)
}

// Subject returns what is known of a person.
func (c *Client) Subject(ctx context.Context, subject string) (s Subject, err error) {
	return s, c.get(ctx, "/subjects/"+url.PathEscape(subject), nil, &s)
}

// SubjectFor is Subject for a purpose of GDPR art. 18(2), which the traits of restricted persons need.
func (c *Client) SubjectFor(ctx context.Context, subject, purpose string) (s Subject, err error) {
	v := url.Values{}
	if purpose != "" {
		v.Set("purpose", purpose)
	}
	return s, c.get(ctx, "/subjects/"+url.PathEscape(subject), v, &s)
}

// Records returns one page of a person's records, newest first.
func (c *Client) Records(ctx context.Context, subject string, q Query) (p Page, err error) {
	v := url.Values{}
	for name, value := range map[string]string{"kind": q.Kind, "after": q.After, "purpose": q.Purpose} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if q.Limit != 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	return p, c.get(ctx, "/subjects/"+url.PathEscape(subject)+"/records", v, &p)
}

// RecordsByClientID returns what a client named so, oldest first.
func (c *Client) RecordsByClientID(ctx context.Context, clientID string) ([]Record, error) {
	var p Page
	return p.Records, c.get(ctx, "/records/by-client-id/"+url.PathEscape(clientID), nil, &p)
}

// Export returns a person's export, "ndjson" or "zip". The caller closes it. Reading fails with
// io.ErrUnexpectedEOF when the node cut it off.
func (c *Client) Export(ctx context.Context, subject, format, purpose string) (io.ReadCloser, error) {
	v := url.Values{"format": {format}}
	if purpose != "" {
		v.Set("purpose", purpose)
	}
	res, err := c.send(ctx, http.MethodGet, "/subjects/"+url.PathEscape(subject)+"/export?"+v.Encode(), nil)
	if err != nil {
		return nil, err
	}
	return res.Body, nil
}

// Media returns the content of a recording or attachment. The caller closes it. Reading fails with
// io.ErrUnexpectedEOF when the node cut it off.
func (c *Client) Media(ctx context.Context, record, media, purpose string) (io.ReadCloser, error) {
	path := "/records/" + url.PathEscape(record) + "/media/" + url.PathEscape(media)
	if purpose != "" {
		path += "?" + url.Values{"purpose": {purpose}}.Encode()
	}
	res, err := c.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	return res.Body, nil
}

// Erase erases a person.
func (c *Client) Erase(ctx context.Context, subject, reason string, suppress bool) (r Receipt, err error) {
	return r, c.post(ctx, "/subjects/"+url.PathEscape(subject)+":erase", map[string]any{"reason": reason, "suppress": suppress}, &r)
}

// Restrict restricts a person's data, GDPR art. 18.
func (c *Client) Restrict(ctx context.Context, subject, reason string) (StateChange, error) {
	return c.state(ctx, subject, "restrict", reason, time.Time{})
}

// Unrestrict ends a restriction.
func (c *Client) Unrestrict(ctx context.Context, subject, reason string) (StateChange, error) {
	return c.state(ctx, subject, "unrestrict", reason, time.Time{})
}

// Hold puts a person under a legal hold until a time, or until Release when it is zero.
func (c *Client) Hold(ctx context.Context, subject, reason string, until time.Time) (StateChange, error) {
	return c.state(ctx, subject, "hold", reason, until)
}

// Release ends a legal hold.
func (c *Client) Release(ctx context.Context, subject, reason string) (StateChange, error) {
	return c.state(ctx, subject, "release", reason, time.Time{})
}

// Retire takes identifiers from a person from now on. Faults: NotFound; Conflict.
func (c *Client) Retire(ctx context.Context, subject string, ids ...Identifier) (IdentifierChange, error) {
	return c.identifiers(ctx, subject, "retire", ids)
}

// Link gives identifiers to a person. Faults: NotFound; Conflict with the others under "subjects".
func (c *Client) Link(ctx context.Context, subject string, ids ...Identifier) (IdentifierChange, error) {
	return c.identifiers(ctx, subject, "link", ids)
}

func (c *Client) identifiers(ctx context.Context, subject, verb string, ids []Identifier) (i IdentifierChange, err error) {
	return i, c.post(ctx, "/subjects/"+url.PathEscape(subject)+"/identifiers:"+verb, map[string]any{"identifiers": ids}, &i)
}

func (c *Client) state(ctx context.Context, subject, verb, reason string, until time.Time) (s StateChange, err error) {
	body := map[string]any{"reason": reason}
	if !until.IsZero() {
		body["until"] = until
	}
	return s, c.post(ctx, "/subjects/"+url.PathEscape(subject)+":"+verb, body, &s)
}
