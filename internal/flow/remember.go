package flow

import (
	"fmt"
	"time"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/pseudonym"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/vault"
)

// remember enters whom the pseudonyms of a batch mean, in the transaction that enters its decision, so
// that the region can turn back what a recipient asks about. reach is whom the recipient is not known
// to have something of.
func (r *Runner) remember(tx store.Tx, q *question, b *built, reach []Reach) error {
	if r.Pseudonyms == nil || b.form != decision.Pseudonymised || len(reach) == 0 {
		return nil
	}
	keys := make([]subject.Key, len(reach))
	for i := range reach {
		keys[i] = subject.Key{Tenant: q.tenant.No, Subject: reach[i].Subject}
	}
	people := make([]pseudonym.Person, 0, len(keys))
	var failed error
	err := r.Subjects.Rows(tx, keys, func(row subject.Row) {
		key, err := r.Vault.Peek(q.tenant.ID, row.Subject, vault.Wrapped{Epoch: row.Epoch, Bytes: row.Wrapped})
		if err != nil {
			failed = fmt.Errorf("open key of %s: %w", row.Subject, err)
			return
		}
		people = append(people, pseudonym.Person{Subject: row.Subject, Key: key})
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return err
	}
	if len(people) < len(keys) { // gone since: the batch holds nobody who is
		return errAgain
	}
	t := pseudonym.Target{Region: r.Region, TenantID: q.tenant.ID, Tenant: q.tenant.No, Recipient: q.f.To, Purpose: q.f.Purpose}
	return pseudonym.Remember(tx, r.Pseudonyms, t, r.Vault.Pseudonyms(q.tenant.ID, q.f.To, q.f.Purpose), people, time.UnixMilli(reach[0].At))
}
