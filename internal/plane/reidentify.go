package plane

import (
	"context"
	"fmt"
	"slices"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/pseudonym"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/vault"
)

// ReidentifyReasons are why a pseudonym may be turned back. They are words, since the ledger holds no text
// that somebody typed. The first four hold for restricted persons, too (GDPR art. 18(2)).
var ReidentifyReasons = []string{"consent", "legal-claims", "rights-of-others", "public-interest", "request", "security", "fraud", "correction"}

// ReidentifyRequest asks whom a recipient means.
type ReidentifyRequest struct {
	Recipient, Purpose string
	Pseudonym          id.Pseudonym
	Reason             string // one of ReidentifyReasons
}

// Reidentified is whom a recipient means: the head of the person.
type Reidentified struct {
	Subject id.Subject
	Ledger  ledger.Ref
}

// Reidentify returns whom a pseudonym means, here in the region. Whether it does or not is entered in the
// ledger before it answers; the entry never has the pseudonym, which would be a map of its own, nor the
// name of a recipient or purpose that there isn't, which somebody typed.
//
// Errors: Invalid reidentify.reason; NotFound pseudonym.unknown, also when the person was erased or moved,
// since nothing is left by which the two could be told apart; Forbidden subject.restricted.
func (p *Plane) Reidentify(ctx context.Context, c *tenant.Caller, q ReidentifyRequest) (out Reidentified, err error) {
	if !slices.Contains(ReidentifyReasons, q.Reason) {
		return out, fault.New(fault.Invalid, "reidentify.reason", "reason is not one for which a pseudonym is turned back").
			WithHint(fmt.Sprintf("one of %v", ReidentifyReasons))
	}
	if p.Pseudonyms == nil {
		return out, fault.New(fault.NotFound, "pseudonym.unknown", "the pseudonym is nobody's")
	}
	p.name(c.Tenant, c.TenantID)
	target := pseudonym.Target{Region: p.Region, TenantID: c.TenantID, Tenant: c.Tenant, Recipient: q.Recipient, Purpose: q.Purpose}
	names := p.Vault.Pseudonyms(c.TenantID, q.Recipient, q.Purpose)
	var refused error
	err = p.DB.Do(ctx, func(tx store.Tx) error {
		out = Reidentified{}
		met, head, err := p.whomMeans(tx, c, target, names, q)
		if refused = err; err != nil && fault.KindOf(err) != fault.NotFound && fault.KindOf(err) != fault.Forbidden {
			return err
		}
		body := map[string]any{"allowed": err == nil, "reason": q.Reason, "token": c.Token}
		if met || declared(p.Recipient, q.Recipient) && declared(p.Purpose, q.Purpose) {
			body["recipient"], body["purpose"] = q.Recipient, q.Purpose
		}
		if err == nil {
			out.Subject, body["subject"] = head, head
		} else {
			body["refused"] = fault.ReasonOf(err)
		}
		refs, err := p.Ledger.Append(tx, ledger.Draft{Kind: "reidentify", Tenant: c.TenantID, At: p.now(), Body: body})
		if err == nil {
			out.Ledger = refs[0]
		}
		return err
	})
	if err != nil {
		return Reidentified{}, err
	}
	p.Ledger.Committed()
	if refused != nil {
		return Reidentified{}, refused
	}
	return out, nil
}

func declared(is func(string) bool, id string) bool { return is == nil || is(id) }

// whomMeans finds the row, opens it under the person's key and decides. met says that the recipient has
// the pseudonym, whatever is decided.
func (p *Plane) whomMeans(tx store.Tx, c *tenant.Caller, t pseudonym.Target, names *vault.Pseudonyms, q ReidentifyRequest) (met bool, head id.Subject, err error) {
	row, err := pseudonym.Find(tx, p.Pseudonyms, t, names, q.Pseudonym)
	if err != nil {
		return false, head, err
	}
	var of *subject.Row
	if err := p.Subjects.Rows(tx, []subject.Key{{Tenant: c.Tenant, Subject: row.Subject}}, func(r subject.Row) { of = &r }); err != nil {
		return true, head, fmt.Errorf("load subject: %w", err)
	}
	if of == nil {
		return true, head, fault.New(fault.NotFound, "pseudonym.unknown", "the pseudonym is nobody's")
	}
	key, err := p.open(of)
	if err != nil {
		return true, head, fmt.Errorf("open key of %s: %w", row.Subject, err)
	}
	if err := pseudonym.Check(&row, t, key, q.Pseudonym); err != nil {
		return true, head, err
	}
	person, err := p.headOf(tx, c.Tenant, row.Subject)
	if err != nil {
		return true, head, err
	}
	return true, person.Subject, p.mayUse(person, q.Reason)
}
