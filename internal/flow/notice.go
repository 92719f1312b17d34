package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/pseudonym"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/vault"
)

// Kinds of notices: what recipients are told of a person whose data they had (GDPR art. 19).
const (
	NoticeErasure    = "erasure"
	NoticeRestricted = "restriction"
	NoticeLifted     = "restriction_lifted"
	NoticeCorrection = "correction" // an identifier was given to the person or taken from them by hand, or an event changed a trait
)

// NoticeState is what became of a notice.
type NoticeState string

// States of notices. All but pending and kept are ends: what the notice said can't be read any more.
const (
	NoticePending     NoticeState = "pending"
	NoticeConfirmed   NoticeState = "confirmed"   // the recipient acknowledged it
	NoticeRefused     NoticeState = "refused"     // it won't take it
	NoticeUnsupported NoticeState = "unsupported" // there is no way to tell it
	NoticeExpired     NoticeState = "expired"     // it didn't take it in 30 days, or it was kept for five years
	NoticeOvertaken   NoticeState = "overtaken"   // a correction that nobody had tried to tell when the person was erased
	NoticeKept        NoticeState = "kept"        // of somebody who moved: pending as soon as they are erased at their new home
)

// nextNotice has every move there is.
var nextNotice = map[NoticeState][]NoticeState{
	NoticePending: {NoticeConfirmed, NoticeRefused, NoticeUnsupported, NoticeExpired, NoticeOvertaken},
	NoticeKept:    {NoticePending, NoticeExpired},
}

// Times of notices.
const (
	// noticeAfter is how long a notice waits at first: until then every attempt that holds the person
	// was cut, on whichever node, so that nothing of theirs arrives behind it.
	noticeAfter    = leaseFor + time.Second
	noticeLife     = 30 * 24 * time.Hour
	noticeMostWait = time.Hour // between attempts
	noticeGrace    = 30 * time.Second
	mostTelling    = 8    // attempts at a time, on a node
	mostNotices    = 1000 // listed
)

// Notice is one thing that one recipient is told about one person. Nothing of it names them.
type Notice struct {
	ID        id.Subject // random; Text is how it is written
	Tenant    uint32
	Kind      string
	Recipient string
	Receipt   string // of the erasure, or the ledger entry of what else was done
	Count     int    // identifiers in it
	State     NoticeState
	Attempt   int    // begun
	MadeAt    int64  // Unix ms, like all below
	NextAt    int64  // not before
	ExpiresAt int64  // then its key is destroyed
	DoneAt    int64  // 0 while it is pending
	Error     string // reason code of the last attempt
	Entry     id.Entry
}

// Text is the notice's id, "ntc_…", which is the idempotency key of its delivery.
func (n *Notice) Text() string { return "ntc_" + strings.TrimPrefix(n.ID.String(), "sub_") }

// NoticeKey is the key of a notice and what is sealed under it.
type NoticeKey struct {
	Wrapped vault.Wrapped
	Sealed  []byte
}

// told is what a notice says, sealed: what the recipient calls the person.
type told struct {
	Subjects []string `json:"subjects"`
}

const noticeTag = "notice 1\x00"

func (r *Runner) noticeAD(notice id.Subject) []byte {
	return append(seal.AppendName(append(make([]byte, 0, 64), noticeTag...), r.Region), notice[:]...)
}

// Tell writes, in tx, what every recipient that had something of a person has to be told: a notice for
// each, sealed under a key of its own, with no more than what that recipient calls the person. rows are
// all that are the person, with their keys; receipt says what was done. It is called before an erasure
// takes the keys.
//
// A recipient that knows the person by several names, one for each purpose, gets as many notices: one
// with all of them would tell it what they were made to keep from it.
func (r *Runner) Tell(tx store.Tx, kind, tenantID, receipt string, rows []*subject.Row) error {
	if len(rows) == 0 {
		return nil
	}
	all, err := r.names(tx, tenantID, rows)
	if err != nil || len(all) == 0 {
		return err
	}
	if kind == NoticeErasure {
		if err := r.overtake(tx, rows); err != nil {
			return err
		}
	}
	for _, who := range all {
		if _, err := r.write(tx, r.newNotice(rows[0].Tenant, kind, receipt, who), who.names); err != nil {
			return err
		}
	}
	return nil
}

// newNotice returns a pending one.
func (r *Runner) newNotice(tenant uint32, kind, receipt string, who named) *Notice {
	now := r.now()
	return &Notice{ID: id.NewSubject(), Tenant: tenant, Kind: kind, Recipient: who.recipient, Receipt: receipt, Count: len(who.names), State: NoticePending,
		MadeAt: now.UnixMilli(), NextAt: now.Add(noticeAfter).UnixMilli(), ExpiresAt: now.Add(noticeLife).UnixMilli()}
}

// write seals names under a new key of n's own and enters it.
func (r *Runner) write(tx store.Tx, n *Notice, names []string) (*Notice, error) {
	if _, err := r.Vault.Fence(tx); err != nil {
		return nil, err
	}
	plain, err := json.Marshal(told{names})
	if err != nil {
		return nil, fmt.Errorf("write a notice: %w", err)
	}
	w, key, err := r.Vault.Mint("", n.ID)
	if err != nil {
		return nil, fmt.Errorf("make a notice's key: %w", err)
	}
	sealed := seal.SealBytes(key, r.noticeAD(n.ID), plain)
	r.Vault.Forget(w)
	if err := r.Store.AddNotice(tx, n, NoticeKey{w, sealed}); err != nil {
		return nil, fmt.Errorf("enter a notice to %s: %w", n.Recipient, err)
	}
	return n, nil
}

// Had returns those of the subjects of whom some recipient had something.
func (r *Runner) Had(tx store.Tx, of []subject.Key) (map[subject.Key]bool, error) {
	had := map[subject.Key]bool{}
	if err := r.Store.AnyReach(tx, of, func(k subject.Key) { had[k] = true }); err != nil {
		return nil, fmt.Errorf("look up who had something of people: %w", err)
	}
	return had, nil
}

// named is what one recipient calls a person, in the clear or for one purpose.
type named struct {
	recipient, purpose string
	names              []string
}

// names returns what recipients that had something of the person call them, in a stable order.
func (r *Runner) names(tx store.Tx, tenantID string, rows []*subject.Row) ([]named, error) {
	subjects := make([]id.Subject, len(rows))
	for i, row := range rows {
		subjects[i] = row.Subject
	}
	reach, err := r.Store.ReachOf(tx, rows[0].Tenant, subjects)
	if err != nil {
		return nil, fmt.Errorf("look up who had something of a person: %w", err)
	}
	if len(reach) == 0 {
		return nil, nil
	}
	var all []named
	add := func(recipient, purpose, name string) {
		at := slices.IndexFunc(all, func(x named) bool { return x.recipient == recipient && x.purpose == purpose })
		if at < 0 {
			at = len(all)
			all = append(all, named{recipient: recipient, purpose: purpose})
		}
		if !slices.Contains(all[at].names, name) {
			all[at].names = append(all[at].names, name)
		}
	}
	p := r.Rules.Engine().Programme()
	for _, x := range reach {
		switch x.Form {
		case decision.Clear.String():
			add(x.Recipient, "", x.Subject.String())
		case decision.Pseudonymised.String():
			if f := flowOf(p, x.Flow); f != nil && f.To == x.Recipient { // else the map below has it
				add(x.Recipient, f.Purpose, r.Vault.Pseudonyms(tenantID, x.Recipient, f.Purpose).Subject(x.Subject).String())
			}
		}
	}
	if err := r.mapped(tx, tenantID, rows, subjects, add); err != nil {
		return nil, err
	}
	for i := range all {
		slices.Sort(all[i].names)
	}
	slices.SortFunc(all, func(a, b named) int {
		if c := strings.Compare(a.recipient, b.recipient); c != 0 {
			return c
		}
		return strings.Compare(a.purpose, b.purpose)
	})
	return all, nil
}

// mapped adds the pseudonyms of which the map knows, also those of flows that are declared no more.
func (r *Runner) mapped(tx store.Tx, tenantID string, rows []*subject.Row, subjects []id.Subject, add func(recipient, purpose, name string)) error {
	if r.Pseudonyms == nil {
		return nil
	}
	var found []pseudonym.Row
	if err := r.Pseudonyms.Of(tx, rows[0].Tenant, subjects, func(x pseudonym.Row) { found = append(found, x) }); err != nil {
		return fmt.Errorf("look up a person's pseudonyms: %w", err)
	}
	t := pseudonym.Target{Region: r.Region, TenantID: tenantID, Tenant: rows[0].Tenant}
	for i := range found {
		x := &found[i]
		row := rows[slices.Index(subjects, x.Subject)]
		key, err := r.Vault.Peek(tenantID, x.Subject, vault.Wrapped{Epoch: row.Epoch, Bytes: row.Wrapped})
		if err != nil {
			return fmt.Errorf("open key of %s: %w", x.Subject, err)
		}
		recipient, purpose, name, err := pseudonym.Open(x, t, key)
		if fault.KindOf(err) == fault.Invalid { // an erasure doesn't fail for what was altered
			r.log.Error("a pseudonym does not open, and its recipient may not be told", "subject", x.Subject.String(), "error", err)
			continue
		} else if err != nil {
			return err
		}
		add(recipient, purpose, name.String())
	}
	return nil
}

// Notices lists notices, those that are pending first, then the newest; a tenant's own, and to the
// operator everybody's. At most 1,000.
func (r *Runner) Notices(ctx context.Context, c *tenant.Caller) (all []Notice, err error) {
	one := c.Tenant
	if c.Operator {
		one = 0
	} else if one == 0 {
		return nil, nil
	}
	err = r.DB.View(ctx, func(tx store.Tx) (err error) { all, err = r.Store.Notices(tx, one, mostNotices); return err })
	if err != nil {
		return nil, fmt.Errorf("list notices: %w", err)
	}
	return all, nil
}
