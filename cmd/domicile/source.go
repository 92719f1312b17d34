package main

import (
	"os"
	"time"

	"domicile.dev/internal/client"
	"domicile.dev/internal/fault"
)

type sourceCmd struct {
	Create  sourceCreateCmd  `cmd:"" help:"Create a source and print its key, this once. A vendor's secret comes on stdin."`
	List    sourceListCmd    `cmd:"" help:"List a tenant's sources."`
	Rotate  sourceRotateCmd  `cmd:"" help:"Give a source a new key and print it, this once."`
	Disable sourceDisableCmd `cmd:"" help:"Disable a source: its key ceases to work."`
	Enable  sourceEnableCmd  `cmd:"" help:"Enable a source."`
}

// owner is whose sources a command is about.
type owner struct {
	node
	Tenant string `help:"The tenant's id. Default: the only one that the token may manage." placeholder:"ID"`
}

// open returns a client that may manage the tenant's sources, and the tenant's id. With --up and
// --tenant the operator's token is used, since up.json has that of one tenant only.
func (o *owner) open(e *env) (*client.Client, string, error) {
	open := o.tenant
	if o.Tenant != "" && (o.Up != "" || os.Getenv("DOMICILE_URL") == "") {
		open = o.operator
	}
	c, err := open()
	if err != nil || o.Tenant != "" {
		return c, o.Tenant, err
	}
	all, err := c.Tenants(e.ctx)
	if err != nil {
		return nil, "", err
	}
	if len(all) != 1 {
		return nil, "", fault.New(fault.Invalid, "call.invalid", "the token may manage %d tenants", len(all)).WithHint("name one with --tenant")
	}
	return c, all[0].ID, nil
}

type sourceCreateCmd struct {
	owner
	Adapter string `required:"" help:"What speaks to it: segment (Segment and RudderStack SDKs), native, cloudevents, or a vendor, with its secret on stdin: twilio (AuthToken), sendgrid (public key of the signed event webhook), whatsapp (app secret)." placeholder:"NAME"`
	Service string `help:"Service of the programme that the data belongs to. Default: the only one that fits; native records name their own." placeholder:"NAME"`
	Public  bool   `help:"For a key that browsers hold: it claims identities and never joins people."`
	OAuth   bool   `name:"oauth" help:"For the OAuth of Segment's server SDKs: the public key of the application comes on stdin, as PEM, and the write key brings nothing without a token."`
	Name    string `help:"Name for people." placeholder:"NAME"`

	AccountSid string `help:"Account at the vendor, such as Twilio's AC…." placeholder:"SID"`
}

// signed are the adapters whose sources have a secret that the vendor made.
var signed = map[string]bool{"twilio": true, "sendgrid": true, "whatsapp": true}

// Run creates a source.
func (c *sourceCreateCmd) Run(e *env) error {
	cl, tenant, err := c.open(e)
	if err != nil {
		return err
	}
	n := client.NewSource{Adapter: c.Adapter, Service: c.Service, Name: c.Name, AccountSID: c.AccountSid}
	if c.OAuth && c.Adapter != "segment" {
		return fault.New(fault.Invalid, "call.invalid", "only sources of segment have OAuth")
	}
	if signed[c.Adapter] || c.OAuth {
		if n.Secret, err = readSecret(e); err != nil {
			return err
		}
	}
	if c.Public {
		n.Trust = "public"
	}
	ch, err := cl.CreateSource(e.ctx, tenant, n)
	return printChange(e, ch, err)
}

type sourceListCmd struct{ owner }

// Run lists sources.
func (c *sourceListCmd) Run(e *env) error {
	cl, tenant, err := c.open(e)
	if err != nil {
		return err
	}
	all, err := cl.Sources(e.ctx, tenant)
	if err != nil || e.json {
		return firstOf(err, func() error { return e.printJSON(map[string]any{"sources": all}) })
	}
	rows := [][]string{{"SOURCE", "ADAPTER", "SERVICE", "TRUST", "STATE", "SINCE", "NAME"}}
	for _, s := range all {
		trust := s.Trust
		if s.OAuth {
			trust += ", oauth"
		}
		rows = append(rows, []string{s.ID, s.Adapter, s.Service, trust, s.State, clock(s.CreatedAt), s.Name})
	}
	return e.table(rows...)
}

type sourceRotateCmd struct {
	owner
	ID    string        `arg:"" help:"The source's id, src_…."`
	Grace time.Duration `help:"How long the old key goes on working, such as 24h. Default: not at all." placeholder:"TIME"`
	Stdin bool          `help:"The vendor's new secret comes on stdin: for sources whose vendor signs, and for the new public key of one with OAuth."`
}

// Run rotates a source's key.
func (c *sourceRotateCmd) Run(e *env) error {
	cl, tenant, err := c.open(e)
	if err != nil {
		return err
	}
	secret := ""
	if c.Stdin {
		if secret, err = readSecret(e); err != nil {
			return err
		}
	}
	ch, err := cl.RotateSource(e.ctx, tenant, c.ID, secret, c.Grace)
	return printChange(e, ch, err)
}

type sourceSetCmd struct {
	owner
	ID string `arg:"" help:"The source's id, src_…."`
}

type (
	sourceDisableCmd struct{ sourceSetCmd }
	sourceEnableCmd  struct{ sourceSetCmd }
)

// Run disables a source.
func (c *sourceDisableCmd) Run(e *env) error { return c.set(e, "disable") }

// Run enables a source.
func (c *sourceEnableCmd) Run(e *env) error { return c.set(e, "enable") }

func (c *sourceSetCmd) set(e *env, verb string) error {
	cl, tenant, err := c.open(e)
	if err != nil {
		return err
	}
	ch, err := cl.SetSource(e.ctx, tenant, c.ID, verb)
	return printChange(e, ch, err)
}
