package flow

import (
	"context"
	"fmt"
	"strings"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/store"
)

// halted is the ledger's entry on a flow that a decision stops. It is entered once for each change of
// what stops it, not each time somebody looks.
type halted struct {
	Decision  string   `json:"decision"` // deny
	Flow      string   `json:"flow"`
	Recipient string   `json:"recipient"`
	Reasons   []string `json:"reasons"` // codes
	Policies  []string `json:"policies"`
	Programme string   `json:"programme"`
	Register  string   `json:"register,omitempty"`
	Rules     string   `json:"rules"`
	Pos       uint64   `json:"after_row"`
}

// halt stops a stream where it stands. It does nothing when it stands there for the same reasons.
func (r *Runner) halt(ctx context.Context, s *Stream, f *programme.Flow, answers []decision.Answer, reasons string) error {
	if s.State == Halted && s.Reasons == reasons {
		return nil
	}
	d := answers[0].Decision
	x := halted{Decision: "deny", Flow: f.ID, Recipient: f.To, Reasons: strings.Split(reasons, ","), Programme: d.Programme, Register: d.Register, Rules: d.Rules}
	for _, why := range d.Denials() {
		if len(x.Policies) < mostKinds {
			x.Policies = append(x.Policies, why.Policy)
		}
	}
	enter := func(tx store.Tx, s *Stream) error {
		x.Pos, s.Reasons = s.Pos, reasons
		refs, err := r.Ledger.Append(tx, r.draft("flow.halted", r.tenantID(s.Tenant), x))
		if err != nil {
			return fmt.Errorf("enter that %s halts: %w", f.ID, err)
		}
		s.Entry = refs[0].Entry
		return nil
	}
	r.log.WarnContext(ctx, "a flow halts: no decision lets it go on", "flow", f.ID, "tenant", r.tenantID(s.Tenant), "reasons", reasons)
	return r.move(ctx, s.Key, halt, enter)
}
