package app

import (
	"context"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/flow"
	"domicile.dev/internal/id"
	"domicile.dev/internal/law"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/tenant"
)

// FlowParts are what flows need beside the node's own rooms. What is left out lets nothing leave.
type FlowParts struct {
	Rules   flow.Rules // default: the programme under the built-in law, with an empty register
	Say     flow.Say   // default: nobody's say is known, which denies
	Forms   flow.Forms
	Connect func(ctx context.Context, recipient string) (flow.Connector, error) // default: no recipient has a destination
}

// fixedRules is one engine for good.
type fixedRules struct{ engine *decision.Engine }

// Engine implements flow.Rules.
func (r fixedRules) Engine() *decision.Engine { return r.engine }

// unheard is for a node that doesn't know what people have said: that denies.
type unheard struct{}

// Of implements flow.Say.
func (unheard) Of(_ store.Tx, _ uint32, people [][]id.Subject) ([]decision.Subject, error) {
	return make([]decision.Subject, len(people)), nil
}

// openFlows makes what runs the region's flows.
func (n *Node) openFlows(opt Options) {
	p := opt.Flows
	if p.Rules == nil {
		p.Rules = fixedRules{decision.New(opt.Programme, law.Builtin(), nil, nil)}
	}
	if p.Say == nil {
		p.Say = unheard{}
	}
	n.Flows = flow.New(flow.Parts{Region: n.Config.Region, DB: n.db, Store: sqlstore.Flows{}, Subjects: sqlstore.Subjects{}, Records: n.records, Ledger: n.Ledger,
		Vault: n.vault, Rules: p.Rules, Say: p.Say, Forms: p.Forms, Tenants: n.flowTenants, Connect: p.Connect}, flow.Options{Log: n.log})
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
