package sqlstore

import (
	"domicile.dev/internal/publish"
	"domicile.dev/internal/store"
)

// settlementDDL is how the operator settled tenants' objections to recipients, and which entry says who was told of a version.
//
// Thief's gain: which tenant gave way, and to whom.
const settlementDDL = `
CREATE TABLE objection_settled (
	tenant     integer NOT NULL,
	recipient  text    NOT NULL,
	made_at    bigint  NOT NULL, -- ms, of recipient_objection
	settled_at bigint  NOT NULL, -- ms
	outcome    text    NOT NULL, -- lifted or kept
	reason     text    NOT NULL,
	entry      text    NOT NULL, -- in the ledger
	PRIMARY KEY (tenant, recipient, made_at)
) /*sqlite: WITHOUT ROWID */;

ALTER TABLE publication ADD COLUMN told_entry text NOT NULL DEFAULT ''; -- in the ledger: who was told
`

// PutSettlement implements publish.Store.
func (Publications) PutSettlement(tx store.Tx, o publish.Objection) error {
	_, err := conn(tx).Exec(`INSERT INTO objection_settled (tenant, recipient, made_at, settled_at, outcome, reason, entry) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (tenant, recipient, made_at) DO UPDATE SET settled_at = excluded.settled_at, outcome = excluded.outcome, reason = excluded.reason, entry = excluded.entry`,
		o.Tenant, o.Recipient, o.MadeAt.UnixMilli(), o.Settled.At.UnixMilli(), o.Settled.Outcome, o.Settled.Reason, o.Settled.Entry)
	return err
}
