package ingest

import "domicile.dev/internal/fault"

// Accounts compares the accounts at a vendor that a body names with the one that its source is of:
// a secret can be that of several accounts, and so of several tenants. Want is "" for a source that
// takes any.
type Accounts struct {
	Want         string
	right, wrong int
}

// Wrong says whether what names that account is another's, and counts it. What names none is not.
func (a *Accounts) Wrong(named []byte) bool {
	if a.Want == "" || len(named) == 0 || string(named) == a.Want {
		a.right++
		return false
	}
	a.wrong++
	return true
}

// WrongAccount is why an event of another account was not kept, beside others that were.
const WrongAccount = "source.wrong_account"

// Err returns a fault of kind Forbidden when all that the body holds is another account's.
func (a *Accounts) Err() error {
	if a.wrong == 0 || a.right > 0 {
		return nil
	}
	return fault.New(fault.Forbidden, WrongAccount, "this is of another account at the vendor than the source").
		WithHint("let each account post to a source of its own; one that names no account takes all that its secret signs")
}
