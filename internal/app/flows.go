package app

import (
	"time"

	"domicile.dev/internal/flow"
	"domicile.dev/internal/form"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/vault"
)

// forms makes what writes flows' lines.
type forms struct{ vault *vault.Vault }

// Shaper implements flow.Forms.
func (m forms) Shaper(p *programme.Programme, f *programme.Flow, tenantID string) (flow.Shaper, error) {
	return form.New(p, f, m.vault.Pseudonyms(tenantID, f.To, f.Purpose))
}

// Window implements flow.Forms.
func (m forms) Window(p *programme.Programme, f *programme.Flow, from, until time.Time) flow.Window {
	return form.NewWindow(p, f, from, until)
}

// openFlows makes what runs the region's flows.
func (n *Node) openFlows(opt Options) {
	connect := n.OpenConnector
	if opt.Connect != nil {
		connect = opt.Connect
	}
	n.Flows = flow.New(flow.Parts{Region: n.Config.Region, DB: n.db, Store: sqlstore.Flows{}, Subjects: sqlstore.Subjects{}, Records: n.records, Ledger: n.Ledger,
		Vault: n.vault, Rules: n.decisions, Say: n.say, Forms: forms{n.vault}, Pseudonyms: sqlstore.Pseudonyms{}, Tenants: n.flowTenants,
		Drifts: n.drifts, Connect: connect}, flow.Options{Log: n.log, Now: opt.Now, Grace: opt.WindowGrace})
}

// flowTenants are the tenants of whom flows can run, with what their settings say.
func (n *Node) flowTenants() []flow.Tenant {
	all := n.Tenants.Tenants(tenant.Operator)
	out := make([]flow.Tenant, len(all))
	for i, t := range all {
		out[i] = flow.Tenant{No: t.No, ID: t.ID, Disabled: t.Disabled, Pinned: t.Settings != nil && t.Settings.Pin}
	}
	return out
}
