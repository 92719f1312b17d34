package client

import (
	"context"
	"net/url"
	"time"
)

// Tenant is a tenant of the region.
type Tenant struct {
	ID        string    `json:"id"`
	Name      string    `json:"name,omitempty"`
	State     string    `json:"state"`
	CreatedAt time.Time `json:"created_at"`
}

// Source is an ingest credential without its key.
type Source struct {
	ID            string     `json:"id"`
	Tenant        string     `json:"tenant"`
	Name          string     `json:"name,omitempty"`
	Adapter       string     `json:"adapter"`
	Service       string     `json:"service,omitempty"`
	Trust         string     `json:"trust"`
	OAuth         bool       `json:"oauth,omitempty"`
	AccountSID    string     `json:"account_sid,omitempty"`
	Path          string     `json:"path,omitempty"` // of its webhooks, below the region's address
	State         string     `json:"state"`
	CreatedAt     time.Time  `json:"created_at"`
	OldKeyValidTo *time.Time `json:"old_key_valid_to,omitempty"`
}

// Token is an API credential without its secret.
type Token struct {
	ID              string     `json:"id"`
	Tenant          string     `json:"tenant"`
	Name            string     `json:"name,omitempty"`
	State           string     `json:"state"`
	CreatedAt       time.Time  `json:"created_at"`
	OldTokenValidTo *time.Time `json:"old_token_valid_to,omitempty"`
}

// Change is what a change made. Members that do not concern it are missing; secrets are shown this
// once.
type Change struct {
	Tenant      *Tenant `json:"tenant,omitempty"`
	Source      *Source `json:"source,omitempty"`
	Token       *Token  `json:"token,omitempty"`
	APIToken    string  `json:"api_token,omitempty"`
	WriteKey    string  `json:"write_key,omitempty"`
	VerifyToken string  `json:"verify_token,omitempty"` // for Meta's webhook set-up
	Ledger      struct {
		Entry string `json:"entry"`
	} `json:"ledger"`
}

// NewSource is what a source is made from. Trust is "server" when it is empty.
type NewSource struct {
	Adapter    string `json:"adapter"`
	Service    string `json:"service,omitempty"`
	Trust      string `json:"trust,omitempty"`
	Name       string `json:"name,omitempty"`
	AccountSID string `json:"account_sid,omitempty"`
	Secret     string `json:"secret,omitempty"` // what the vendor signs with, or an OAuth application's public key
}

// OnlyToken stands for a tenant's only token.
const OnlyToken = "-"

func tenantPath(tenant string) string { return "/tenants/" + url.PathEscape(tenant) }

func sourcePath(tenant, source string) string {
	return tenantPath(tenant) + "/sources/" + url.PathEscape(source)
}

// CreateTenant makes a tenant with its first API token.
func (c *Client) CreateTenant(ctx context.Context, id, name string) (ch Change, err error) {
	return ch, c.post(ctx, "/tenants", map[string]string{"id": id, "name": name}, &ch)
}

// Tenants lists the tenants that the caller may manage.
func (c *Client) Tenants(ctx context.Context) ([]Tenant, error) {
	var b struct {
		Tenants []Tenant `json:"tenants"`
	}
	err := c.get(ctx, "/tenants", nil, &b)
	return b.Tenants, err
}

// SetTenant disables or enables a tenant; verb is "disable" or "enable".
func (c *Client) SetTenant(ctx context.Context, tenant, verb string) (ch Change, err error) {
	return ch, c.post(ctx, tenantPath(tenant)+":"+verb, nil, &ch)
}

// RotateToken makes a token anew; OnlyToken names the tenant's only one.
func (c *Client) RotateToken(ctx context.Context, tenant, token string, grace time.Duration) (ch Change, err error) {
	return ch, c.post(ctx, tenantPath(tenant)+"/tokens/"+url.PathEscape(token)+":rotate", graceBody(grace), &ch)
}

// CreateSource makes a source.
func (c *Client) CreateSource(ctx context.Context, tenant string, n NewSource) (ch Change, err error) {
	return ch, c.post(ctx, tenantPath(tenant)+"/sources", n, &ch)
}

// Sources lists a tenant's sources.
func (c *Client) Sources(ctx context.Context, tenant string) ([]Source, error) {
	var b struct {
		Sources []Source `json:"sources"`
	}
	err := c.get(ctx, tenantPath(tenant)+"/sources", nil, &b)
	return b.Sources, err
}

// RotateSource gives a source a new key, or the vendor's new secret where the vendor signs; secret is
// "" for the others. The old one works until grace is over.
func (c *Client) RotateSource(ctx context.Context, tenant, source, secret string, grace time.Duration) (ch Change, err error) {
	b := struct {
		GraceSeconds int64  `json:"grace_seconds"`
		Secret       string `json:"secret,omitempty"`
	}{int64(grace / time.Second), secret}
	return ch, c.post(ctx, sourcePath(tenant, source)+":rotate", b, &ch)
}

// SetSource disables or enables a source; verb is "disable" or "enable".
func (c *Client) SetSource(ctx context.Context, tenant, source, verb string) (ch Change, err error) {
	return ch, c.post(ctx, sourcePath(tenant, source)+":"+verb, nil, &ch)
}

func graceBody(grace time.Duration) any {
	return map[string]int64{"grace_seconds": int64(grace / time.Second)}
}
