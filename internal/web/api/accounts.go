package api

import (
	"context"
	"net/http"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// addAccounts adds the calls that manage tenants, sources and tokens.
func (a *API) addAccounts() {
	const root, one = "/api/v1/tenants", "/api/v1/tenants/{tenant}"
	manage := func(method, path, id, summary, doc string, errors ...int) operation {
		return operation{id: id, method: method, path: path, tag: tagAccess, who: managers, summary: summary, doc: doc, errors: errors}
	}
	shown := func(o operation) operation { o.secrets = true; return o }
	created := func(o operation) operation { o.status = http.StatusCreated; return shown(o) }
	get, post := http.MethodGet, http.MethodPost

	typed(a, created(manage(post, root, "create-tenant", "Create a tenant", "The answer holds its first API token, which is not shown again. For the operator.", 403, 409)), a.createTenant)
	typed(a, manage(get, root, "list-tenants", "List tenants", "A tenant sees itself, the operator all."), a.listTenants)
	typed(a, manage(post, one+":disable", "disable-tenant", "Disable a tenant", "None of its sources and tokens works until it is enabled. For the operator.", 403, 404), a.setTenant(true))
	typed(a, manage(post, one+":enable", "enable-tenant", "Enable a tenant", "For the operator.", 403, 404), a.setTenant(false))

	typed(a, manage(get, one+"/settings", "get-settings", "See where a tenant's people are at home", "The rules of this region; each region has its own.", 404), a.settings)
	typed(a, manage(http.MethodPatch, one+"/settings", "set-settings", "Decide where a tenant's people are at home", "What is left out stays; placement replaces the whole list. It holds for people who are met from then on: who is known here stays at home here.", 404), a.setSettings)

	typed(a, created(manage(post, one+"/sources", "create-source", "Create a source", "The answer holds its key, which is not shown again. Sources of twilio, sendgrid and whatsapp have the vendor's secret instead, which is kept sealed.", 404)), a.createSource)
	typed(a, manage(get, one+"/sources", "list-sources", "List a tenant's sources", "", 404), a.listSources)
	typed(a, shown(manage(post, one+"/sources/{source}:rotate", "rotate-source", "Give a source a new key", "The old one works until grace_seconds are over: not at all without them. Sources of vendors who sign get the vendor's new secret.", 404)), a.rotateSource)
	typed(a, manage(post, one+"/sources/{source}:disable", "disable-source", "Disable a source", "", 404), a.setSource(true))
	typed(a, manage(post, one+"/sources/{source}:enable", "enable-source", "Enable a source", "", 404), a.setSource(false))

	typed(a, created(manage(post, one+"/tokens", "create-token", "Create an API token", "The answer holds it; it is not shown again. For the operator.", 403, 404)), a.createToken)
	typed(a, manage(get, one+"/tokens", "list-tokens", "List a tenant's API tokens", "For the operator.", 403, 404), a.listTokens)
	typed(a, shown(manage(post, one+"/tokens/{token}:rotate", "rotate-token", "Make an API token anew", "{token} may be - where the tenant has one only. For the operator.", 403, 404, 409)), a.rotateToken)
	typed(a, manage(post, one+"/tokens/{token}:disable", "disable-token", "Disable an API token", "For the operator.", 403, 404), a.setToken(true))
	typed(a, manage(post, one+"/tokens/{token}:enable", "enable-token", "Enable an API token", "For the operator.", 403, 404), a.setToken(false))
}

// secretMembers are left out of answers that are kept for a retry.
var secretMembers = []string{"secret", "api_token", "write_key", "verify_token"}

// out is an answer with one body.
type out[T any] struct{ Body T }

type newTenantIn struct{ Body newTenantBody }

func (a *API) createTenant(ctx context.Context, c *tenant.Caller, in *newTenantIn) (*out[tenantKeyBody], error) {
	t, tok, secret, ch, err := a.accounts.CreateTenant(ctx, c, in.Body.ID, in.Body.Name)
	if err != nil {
		return nil, err
	}
	return &out[tenantKeyBody]{tenantKeyBody{tenantOf(t), tokenOf(tok), secret, entered(ch)}}, nil
}

func (a *API) listTenants(_ context.Context, c *tenant.Caller, _ *struct{}) (*out[tenantsBody], error) {
	all := a.accounts.Tenants(c)
	b := tenantsBody{Tenants: make([]tenantBody, len(all))}
	for i, t := range all {
		b.Tenants[i] = tenantOf(t)
	}
	return &out[tenantsBody]{b}, nil
}

type tenantIn struct {
	Tenant string `path:"tenant"`
}

func (a *API) setTenant(off bool) func(context.Context, *tenant.Caller, *tenantIn) (*out[tenantChangeBody], error) {
	return func(ctx context.Context, c *tenant.Caller, in *tenantIn) (*out[tenantChangeBody], error) {
		t, ch, err := a.accounts.SetTenant(ctx, c, in.Tenant, off)
		if err != nil {
			return nil, err
		}
		return &out[tenantChangeBody]{tenantChangeBody{tenantOf(t), entered(ch)}}, nil
	}
}

type newSourceIn struct {
	Tenant string `path:"tenant"`
	Body   newSourceBody
}

func (a *API) createSource(ctx context.Context, c *tenant.Caller, in *newSourceIn) (*out[sourceKeyBody], error) {
	return sourceKeyOf(a.accounts.CreateSource(ctx, c, in.Tenant, tenant.NewSource{Name: in.Body.Name, Adapter: in.Body.Adapter,
		Service: in.Body.Service, Trust: term.Trust(in.Body.Trust), Account: in.Body.AccountSID, Secret: in.Body.Secret}))
}

func (a *API) listSources(_ context.Context, c *tenant.Caller, in *tenantIn) (*out[sourcesBody], error) {
	all, err := a.accounts.Sources(c, in.Tenant)
	if err != nil {
		return nil, err
	}
	b := sourcesBody{Sources: make([]sourceBody, len(all))}
	for i, s := range all {
		b.Sources[i] = sourceOf(s)
	}
	return &out[sourcesBody]{b}, nil
}

type sourceIn struct {
	Tenant string `path:"tenant"`
	Source string `path:"source"`
}

type rotateSourceIn struct {
	Tenant string            `path:"tenant"`
	Source string            `path:"source"`
	Body   *rotateSourceBody `required:"false"`
}

func (a *API) rotateSource(ctx context.Context, c *tenant.Caller, in *rotateSourceIn) (*out[sourceKeyBody], error) {
	var b rotateSourceBody
	if in.Body != nil {
		b = *in.Body
	}
	return sourceKeyOf(a.accounts.RotateSource(ctx, c, in.Tenant, in.Source, b.Secret, time.Duration(b.GraceSeconds)*time.Second))
}

func (a *API) setSource(off bool) func(context.Context, *tenant.Caller, *sourceIn) (*out[sourceKeyBody], error) {
	return func(ctx context.Context, c *tenant.Caller, in *sourceIn) (*out[sourceKeyBody], error) {
		s, ch, err := a.accounts.SetSource(ctx, c, in.Tenant, in.Source, off)
		return sourceKeyOf(s, "", ch, err)
	}
}

type newTokenIn struct {
	Tenant string        `path:"tenant"`
	Body   *newTokenBody `required:"false"`
}

func (a *API) createToken(ctx context.Context, c *tenant.Caller, in *newTokenIn) (*out[tokenKeyBody], error) {
	var name string
	if in.Body != nil {
		name = in.Body.Name
	}
	return tokenKeyOf(a.accounts.CreateToken(ctx, c, in.Tenant, name))
}

func (a *API) listTokens(_ context.Context, c *tenant.Caller, in *tenantIn) (*out[tokensBody], error) {
	all, err := a.accounts.Tokens(c, in.Tenant)
	if err != nil {
		return nil, err
	}
	b := tokensBody{Tokens: make([]tokenBody, len(all))}
	for i, t := range all {
		b.Tokens[i] = tokenOf(t)
	}
	return &out[tokensBody]{b}, nil
}

type tokenIn struct {
	Tenant string `path:"tenant"`
	Token  string `path:"token"`
}

type rotateTokenIn struct {
	Tenant string      `path:"tenant"`
	Token  string      `path:"token"`
	Body   *rotateBody `required:"false"`
}

// onlyToken stands for a tenant's only token in a path.
const onlyToken = "-"

func (a *API) rotateToken(ctx context.Context, c *tenant.Caller, in *rotateTokenIn) (*out[tokenKeyBody], error) {
	token := in.Token
	if token == onlyToken {
		token = ""
	}
	return tokenKeyOf(a.accounts.RotateToken(ctx, c, in.Tenant, token, in.Body.grace()))
}

func (a *API) setToken(off bool) func(context.Context, *tenant.Caller, *tokenIn) (*out[tokenKeyBody], error) {
	return func(ctx context.Context, c *tenant.Caller, in *tokenIn) (*out[tokenKeyBody], error) {
		if in.Token == onlyToken {
			return nil, fault.New(fault.NotFound, "token.not_found", "there is no such token")
		}
		t, ch, err := a.accounts.SetToken(ctx, c, in.Tenant, in.Token, off)
		return tokenKeyOf(t, "", ch, err)
	}
}

func (b *rotateBody) grace() time.Duration {
	if b == nil {
		return 0
	}
	return time.Duration(b.GraceSeconds) * time.Second
}

func stateWord(disabled bool) string {
	if disabled {
		return "disabled"
	}
	return "enabled"
}

func entered(ch tenant.Change) enteredBody { return enteredBody{Entry: ch.Entry.String()} }

func tenantOf(t tenant.Tenant) tenantBody {
	return tenantBody{ID: t.ID, Name: t.Name, State: stateWord(t.Disabled), CreatedAt: t.CreatedAt.UTC()}
}

func sourceOf(s tenant.Source) sourceBody {
	return sourceBody{ID: s.ID, Tenant: s.TenantID, Name: s.Name, Adapter: s.Adapter, Service: s.Service, Trust: string(s.Trust), OAuth: s.OAuth,
		AccountSID: s.Account, Path: WebhookPath(s.Adapter, s.ID), State: stateWord(s.Disabled), CreatedAt: s.CreatedAt.UTC(), OldKeyValidTo: wireTime(&s.OldKeyValidTo)}
}

func tokenOf(t tenant.Token) tokenBody {
	return tokenBody{ID: t.ID, Tenant: t.TenantID, Name: t.Name, State: stateWord(t.Disabled), CreatedAt: t.CreatedAt.UTC(),
		OldTokenValidTo: wireTime(&t.OldTokenValidTo)}
}

func sourceKeyOf(s tenant.Source, secret string, ch tenant.Change, err error) (*out[sourceKeyBody], error) {
	if err != nil {
		return nil, err
	}
	b := sourceKeyBody{Source: sourceOf(s), Secret: secret, Ledger: entered(ch)}
	if tenant.Signed(s.Adapter) {
		b.Secret, b.Verify = "", secret
	}
	return &out[sourceKeyBody]{b}, nil
}

func tokenKeyOf(t tenant.Token, secret string, ch tenant.Change, err error) (*out[tokenKeyBody], error) {
	if err != nil {
		return nil, err
	}
	return &out[tokenKeyBody]{tokenKeyBody{tokenOf(t), secret, entered(ch)}}, nil
}
