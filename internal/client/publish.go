package client

import (
	"context"
	"net/url"
	"time"
)

// NoticeVersion is one publication.
type NoticeVersion struct {
	Version     string    `json:"version"`
	Notice      string    `json:"notice"`
	Programme   string    `json:"programme"`
	PublishedAt time.Time `json:"published_at"`
	Effective   string    `json:"effective"`
	Adopted     bool      `json:"adopted,omitempty"`
	NewNotice   bool      `json:"new_notice"`
	NewList     bool      `json:"new_list"`
	Material    bool      `json:"material"`
	Summary     string    `json:"summary"`
	Changes     []struct {
		Material bool   `json:"material"`
		Text     string `json:"text"`
	} `json:"changes,omitempty"`
	List []struct {
		Notice bool   `json:"notice"`
		Text   string `json:"text"`
	} `json:"list,omitempty"`
	AskAgain  []string `json:"ask_again,omitempty"`
	Languages []string `json:"languages,omitempty"`
	Retold    []string `json:"retold,omitempty"`
	Told      bool     `json:"told"`
	Queued    *struct {
		Mail     int `json:"mail"`
		Webhooks int `json:"webhooks"`
	} `json:"queued,omitempty"` // only of one that was published by this call
	Ledger struct {
		Entry string `json:"entry"`
	} `json:"ledger"`
}

// NoticeTold is who was told of a version.
type NoticeTold struct {
	Version  string `json:"version"`
	Complete bool   `json:"complete"`
	CanMail  bool   `json:"can_mail"`
	Digest   string `json:"digest"`
	Times    string `json:"times"`
	Ledger   *struct {
		Entry string `json:"entry"`
	} `json:"ledger,omitempty"`
	Messages []struct {
		Subscription string     `json:"subscription"`
		Channel      string     `json:"channel"`
		State        string     `json:"state"`
		Attempts     int        `json:"attempts"`
		Code         string     `json:"code,omitempty"`
		QueuedAt     time.Time  `json:"queued_at"`
		DoneAt       *time.Time `json:"done_at,omitempty"`
		Digest       string     `json:"digest,omitempty"`
	} `json:"messages"`
}

// SubProcessor is one that was announced.
type SubProcessor struct {
	ID         string     `json:"id"`
	Name       string     `json:"name,omitempty"`
	State      string     `json:"state"`
	Announced  string     `json:"announced"`
	Until      string     `json:"object_until"`
	Withdrawn  string     `json:"withdrawn,omitempty"`
	Version    string     `json:"version"`
	ObjectedAt *time.Time `json:"objected_at,omitempty"`
}

// Objected is the answer to an objection, or to its withdrawal.
type Objected struct {
	ID     string `json:"id"`
	Ledger struct {
		Entry string `json:"entry"`
	} `json:"ledger"`
}

// NoticeVersions returns what was published, the oldest first.
func (c *Client) NoticeVersions(ctx context.Context) ([]NoticeVersion, error) {
	p, err := c.Published(ctx)
	return p.Versions, err
}

// PublishNotice publishes the running programme's notice and list, to the operator. effective is a date, or "".
func (c *Client) PublishNotice(ctx context.Context, effective string) (v NoticeVersion, err error) {
	return v, c.post(ctx, "/notice:publish", struct {
		Effective string `json:"effective,omitempty"`
	}{effective}, &v)
}

// NoticeTold returns who was told of a version, to the operator.
func (c *Client) NoticeTold(ctx context.Context, version string) (t NoticeTold, err error) {
	return t, c.get(ctx, "/notice/"+url.PathEscape(version)+"/told", nil, &t)
}

// SubProcessors returns those that were announced, with the caller's objections.
func (c *Client) SubProcessors(ctx context.Context) ([]SubProcessor, error) {
	var b struct {
		All []SubProcessor `json:"sub_processors"`
	}
	err := c.get(ctx, "/sub-processors", nil, &b)
	return b.All, err
}

// ObjectTo objects to a sub-processor, or withdraws the objection.
func (c *Client) ObjectTo(ctx context.Context, id string, withdraw bool) (o Objected, err error) {
	verb := ":object"
	if withdraw {
		verb = ":withdraw-objection"
	}
	return o, c.post(ctx, "/sub-processors/"+url.PathEscape(id)+verb, nil, &o)
}
