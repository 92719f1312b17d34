package plane

import (
	"context"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/store"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/vault"
)

// KeysView is what an operator is told of a region's keys: nothing secret.
type KeysView struct {
	Epochs []vault.Epoch        // the oldest first; the last is current
	Index  []vault.IndexVersion // the oldest first; the last is current
	Kept   []bool               // of each of Index: its key stays after its end, client ids are under it
	// Rotating says that the index key is being rotated; Left is how many identifiers are still under
	// the version before. Both stay until that one's key is destroyed.
	Rotating bool
	Left     int64
}

// Keys returns the state of the region's keys, for the operator.
//
// Errors: Forbidden.
func (p *Plane) Keys(ctx context.Context, c *tenant.Caller) (KeysView, error) {
	if err := operatorOnly(c); err != nil {
		return KeysView{}, err
	}
	var v KeysView
	err := p.DB.View(ctx, func(tx store.Tx) (err error) {
		var from, to uint32
		if v.Index, from, to, err = p.Vault.IndexState(tx); err != nil {
			return err
		}
		if v.Epochs, err = p.Vault.Epochs(tx); err != nil {
			return err
		}
		v.Rotating = from != to || vault.Ending(v.Index) != nil
		if from != to {
			v.Left, err = p.Subjects.CountBindingsBefore(tx, to)
		}
		return err
	})
	for _, x := range v.Index {
		v.Kept = append(v.Kept, p.Vault.IndexKept(x.N))
	}
	return v, err
}

// RotateIndex begins a rotation of the index key, which the nodes of the cell then bring to its end on
// their own, and returns the state of the keys. begun is false when one was under way already.
//
// Errors: Forbidden; Unavailable.
func (p *Plane) RotateIndex(ctx context.Context, c *tenant.Caller) (v KeysView, begun bool, err error) {
	if err := operatorOnly(c); err != nil {
		return KeysView{}, false, err
	}
	now := p.now()
	begun, err = p.Vault.BeginIndex(ctx, now, func(tx store.Tx, from, to uint32) error {
		_, err := p.Ledger.Append(tx, ledger.Draft{Kind: "keys.rotating", At: now, Body: indexRotated{Key: "index", From: from, To: to}})
		return err
	})
	if err != nil {
		return KeysView{}, false, err
	}
	if begun {
		p.Ledger.Committed()
	}
	select {
	case p.reindex <- struct{}{}:
	default: // it is awake
	}
	v, err = p.Keys(ctx, c)
	return v, begun, err
}

func operatorOnly(c *tenant.Caller) error {
	if c.Operator {
		return nil
	}
	return fault.New(fault.Forbidden, "operator.only", "only the region's operator may do this").WithHint("use the operator's token, dok_…")
}
