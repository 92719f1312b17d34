package main

import (
	"time"

	"domicile.dev/internal/client"
)

type tenantCmd struct {
	Create  tenantCreateCmd  `cmd:"" help:"Create a tenant and print its API token, this once."`
	List    tenantListCmd    `cmd:"" help:"List tenants."`
	Rotate  tenantRotateCmd  `cmd:"" help:"Make a tenant's API token anew and print it, this once."`
	Disable tenantDisableCmd `cmd:"" help:"Disable a tenant: none of its sources and tokens works."`
	Enable  tenantEnableCmd  `cmd:"" help:"Enable a tenant."`

	Settings settingsCmd `cmd:"" help:"Show or decide where a tenant's people are at home."`
}

type tenantCreateCmd struct {
	node
	ID   string `arg:"" help:"Id, the same in every region: letters a–z, digits, inner hyphens."`
	Name string `help:"Name for people." placeholder:"NAME"`
}

// Run creates a tenant.
func (c *tenantCreateCmd) Run(e *env) error {
	cl, err := c.operator()
	if err != nil {
		return err
	}
	ch, err := cl.CreateTenant(e.ctx, c.ID, c.Name)
	return printChange(e, ch, err)
}

type tenantListCmd struct{ node }

// Run lists tenants.
func (c *tenantListCmd) Run(e *env) error {
	cl, err := c.operator()
	if err != nil {
		return err
	}
	all, err := cl.Tenants(e.ctx)
	if err != nil || e.json {
		return firstOf(err, func() error { return e.printJSON(map[string]any{"tenants": all}) })
	}
	rows := [][]string{{"TENANT", "STATE", "SINCE", "NAME"}}
	for _, t := range all {
		rows = append(rows, []string{t.ID, t.State, clock(t.CreatedAt), t.Name})
	}
	return e.table(rows...)
}

type tenantRotateCmd struct {
	node
	ID    string        `arg:"" help:"The tenant's id."`
	Token string        `help:"Id of the token, tok_…. Default: the tenant's only one." placeholder:"ID" default:"-"`
	Grace time.Duration `help:"How long the old token goes on working, such as 24h. Default: not at all." placeholder:"TIME"`
}

// Run rotates a token.
func (c *tenantRotateCmd) Run(e *env) error {
	cl, err := c.operator()
	if err != nil {
		return err
	}
	ch, err := cl.RotateToken(e.ctx, c.ID, c.Token, c.Grace)
	return printChange(e, ch, err)
}

type tenantSetCmd struct {
	node
	ID string `arg:"" help:"The tenant's id."`
}

type (
	tenantDisableCmd struct{ tenantSetCmd }
	tenantEnableCmd  struct{ tenantSetCmd }
)

// Run disables a tenant.
func (c *tenantDisableCmd) Run(e *env) error { return c.set(e, "disable") }

// Run enables a tenant.
func (c *tenantEnableCmd) Run(e *env) error { return c.set(e, "enable") }

func (c *tenantSetCmd) set(e *env, verb string) error {
	cl, err := c.operator()
	if err != nil {
		return err
	}
	ch, err := cl.SetTenant(e.ctx, c.ID, verb)
	return printChange(e, ch, err)
}

// printChange prints what a change made. A secret is alone on stdout but for its name, so that it
// can be cut out; that it is shown once is said beside.
func printChange(e *env, ch client.Change, err error) error {
	if err != nil || e.json {
		return firstOf(err, func() error { return e.printJSON(ch) })
	}
	var pairs []string
	if t := ch.Tenant; t != nil {
		pairs = append(pairs, "tenant", t.ID, "state", t.State)
	}
	if s := ch.Source; s != nil {
		oauth := ""
		if s.OAuth {
			oauth = "yes: the write key brings nothing without a token from /token"
		}
		pairs = append(pairs, "source", s.ID, "tenant", s.Tenant, "adapter", s.Adapter, "service", s.Service, "trust", s.Trust, "oauth", oauth, "account", s.AccountSID, "path", s.Path, "state", s.State,
			"old key until", clockOf(s.OldKeyValidTo))
	}
	if t := ch.Token; t != nil {
		pairs = append(pairs, "token", t.ID, "old token until", clockOf(t.OldTokenValidTo))
	}
	pairs = append(pairs, "ledger entry", ch.Ledger.Entry, "write key", ch.WriteKey, "api token", ch.APIToken, "verify token", ch.VerifyToken)
	if ch.WriteKey+ch.APIToken+ch.VerifyToken != "" {
		e.say("the secret is shown this once: keep it where secrets are kept")
	}
	return e.facts(pairs...)
}
