package flow

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"time"

	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
)

// Open says whom a pending correction is about. It goes with the notice's end.
type Open struct {
	Tenant             uint32
	Subject            id.Subject // or the notice that is kept of somebody who moved
	Recipient, Purpose string
	Notice             id.Subject
	MadeAt             int64 // Unix ms
	Attempt, Count     int   // of the notice; PutOpen doesn't look at them
}

// Correct writes what Tell writes of a correction, but one at a time: where one of the same person to the
// same recipient has been written and not tried yet, it is said by that, and where one has been tried and is
// pending, this one waits for its end. enter is called once when there is something to write, for the receipt.
func (r *Runner) Correct(tx store.Tx, tenantID string, rows []*subject.Row, enter func() (receipt string, err error)) error {
	if len(rows) == 0 {
		return nil
	}
	all, err := r.names(tx, tenantID, rows)
	if err != nil || len(all) == 0 {
		return err
	}
	open, err := r.openOf(tx, rows)
	if err != nil {
		return err
	}
	receipt := ""
	for _, who := range all {
		if covered(open, who.recipient, who.purpose, len(who.names)) {
			continue
		}
		if receipt == "" {
			if receipt, err = enter(); err != nil {
				return err
			}
		}
		n, err := r.write(tx, r.newNotice(rows[0].Tenant, NoticeCorrection, receipt, who), who.names)
		if err != nil {
			return err
		}
		if err := r.putOpen(tx, n, rows[0].Subject, who.purpose); err != nil {
			return err
		}
	}
	return nil
}

func (r *Runner) putOpen(tx store.Tx, n *Notice, about id.Subject, purpose string) error {
	if err := r.Store.PutOpen(tx, Open{Tenant: n.Tenant, Subject: about, Recipient: n.Recipient, Purpose: purpose, Notice: n.ID, MadeAt: n.MadeAt}); err != nil {
		return fmt.Errorf("note whom a correction is about: %w", err)
	}
	return nil
}

func (r *Runner) openOf(tx store.Tx, rows []*subject.Row) (open []Open, err error) {
	keys := make([]subject.Key, len(rows))
	for i, row := range rows {
		keys[i] = row.Key
	}
	if err := r.Store.OpenOf(tx, keys, func(o Open) { open = append(open, o) }); err != nil {
		return nil, fmt.Errorf("look for pending corrections: %w", err)
	}
	return open, nil
}

// covered says whether one that nobody has tried yet tells the recipient of so many names.
func covered(open []Open, recipient, purpose string, names int) bool {
	for _, o := range open {
		if o.Recipient == recipient && o.Purpose == purpose && o.Attempt == 0 && o.Count >= names {
			return true
		}
	}
	return false
}

// overtake ends corrections of somebody who is erased that nobody has tried to tell yet.
func (r *Runner) overtake(tx store.Tx, rows []*subject.Row) error {
	open, err := r.openOf(tx, rows)
	if err != nil {
		return err
	}
	for _, o := range open {
		if o.Attempt > 0 {
			continue
		}
		n, err := r.Store.Notice(tx, o.Notice)
		if err != nil {
			return fmt.Errorf("load a correction: %w", err)
		}
		if n == nil || n.State != NoticePending {
			continue
		}
		n.State, n.DoneAt = NoticeOvertaken, r.now().UnixMilli()
		if err := r.enterNotice(tx, n, string(NoticeOvertaken), ""); err != nil {
			return err
		}
		if err := r.Store.PutNotice(tx, n); err != nil {
			return fmt.Errorf("end a correction: %w", err)
		}
		if err := r.Store.DropNoticeKey(tx, n.ID); err != nil {
			return fmt.Errorf("drop a correction's key: %w", err)
		}
		if err := r.Store.DropOpen(tx, n.ID); err != nil {
			return fmt.Errorf("forget whom a correction is about: %w", err)
		}
	}
	return nil
}

// Keep writes, in tx, what every recipient that had something of a person who moves away would have to be
// told: it is kept under that move until Recall. It is called while the person's keys are there.
func (r *Runner) Keep(tx store.Tx, tenantID, move string, rows []*subject.Row) error {
	if len(rows) == 0 {
		return nil
	}
	all, err := r.names(tx, tenantID, rows)
	if err != nil {
		return err
	}
	for _, who := range all {
		n := r.newNotice(rows[0].Tenant, NoticeErasure, move, who)
		n.State, n.NextAt, n.ExpiresAt = NoticeKept, math.MaxInt64, 0
		if _, err := r.write(tx, n, who.names); err != nil {
			return err
		}
	}
	return nil
}

// Recall makes notices of a kind, in tx, from what is kept under a move, on the word of the person's new
// home. What is kept ends with an erasure; the same word again makes nothing.
func (r *Runner) Recall(tx store.Tx, tenant uint32, move, word, kind, receipt string) error {
	kept, err := r.Store.KeptNotices(tx, tenant, move)
	if err != nil {
		return fmt.Errorf("look for what is kept of who moved: %w", err)
	}
	for i := range kept {
		if kind == NoticeErasure {
			err = r.letGo(tx, &kept[i], receipt)
		} else {
			err = r.copyKept(tx, &kept[i], word, kind, receipt)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *Runner) letGo(tx store.Tx, n *Notice, receipt string) error {
	if err := r.overtake(tx, []*subject.Row{{Key: subject.Key{Tenant: n.Tenant, Subject: n.ID}}}); err != nil {
		return err
	}
	now := r.now()
	n.State, n.Receipt, n.MadeAt = NoticePending, receipt, now.UnixMilli()
	n.NextAt, n.ExpiresAt = now.Add(noticeAfter).UnixMilli(), now.Add(noticeLife).UnixMilli()
	if err := r.Store.PutNotice(tx, n); err != nil {
		return fmt.Errorf("make a notice that was kept pending: %w", err)
	}
	return nil
}

// copyKept makes a notice with the names of one that is kept, which has an id by the word that asks for it.
func (r *Runner) copyKept(tx store.Tx, n *Notice, word, kind, receipt string) error {
	k, err := r.Store.NoticeKey(tx, n.ID)
	if err != nil || k == nil {
		return err
	}
	names, err := r.namesIn(n, k)
	if err != nil {
		return err
	}
	next := r.newNotice(n.Tenant, kind, receipt, named{recipient: n.Recipient, names: names})
	sum := sha256.Sum256(append([]byte("domicile/notice of a word\x00"+word+"\x00"), n.ID[:]...))
	copy(next.ID[:], sum[:])
	if was, err := r.Store.Notice(tx, next.ID); err != nil || was != nil {
		return err
	}
	about := subject.Key{Tenant: n.Tenant, Subject: n.ID}
	if kind == NoticeCorrection {
		open, err := r.openOf(tx, []*subject.Row{{Key: about}})
		if err != nil || covered(open, n.Recipient, "", len(names)) {
			return err
		}
	}
	if _, err := r.write(tx, next, names); err != nil {
		return err
	}
	if kind == NoticeCorrection {
		return r.putOpen(tx, next, n.ID, "")
	}
	return nil
}

// countEvery is how often the gauges of notices are set.
const countEvery = 5 * time.Second

// countNotices shows how many notices are pending, and since when.
func (r *Runner) countNotices(ctx context.Context) error {
	type at struct{ n, oldest int64 }
	all := map[string]at{}
	if err := r.DB.View(ctx, func(tx store.Tx) error {
		clear(all)
		return r.Store.PendingNotices(tx, func(recipient string, n, oldest int64) { all[recipient] = at{n, oldest} })
	}); err != nil {
		return err
	}
	r.metrics.pending.Reset()
	r.metrics.oldest.Reset()
	for recipient, a := range all {
		r.metrics.pending.WithLabelValues(recipient).Set(float64(a.n))
		r.metrics.oldest.WithLabelValues(recipient).Set(max(0, r.now().Sub(time.UnixMilli(a.oldest)).Seconds()))
	}
	return nil
}

// How long a notice is kept of somebody who moved and isn't erased, and how often those are looked for.
const (
	keptFor    = 5 * 365 * 24 * time.Hour
	letGoEvery = time.Hour
	mostLetGo  = 100 // in one transaction
)

// endKept ends notices that have been kept for five years: their keys go, and a word about them makes none.
func (r *Runner) endKept(ctx context.Context) error {
	for {
		ended := map[string]int{}
		old := 0
		if err := r.DB.Do(ctx, func(tx store.Tx) error {
			clear(ended)
			all, err := r.Store.KeptBefore(tx, r.now().Add(-keptFor).UnixMilli(), mostLetGo)
			if err != nil {
				return fmt.Errorf("look for what was kept for too long: %w", err)
			}
			old = len(all)
			for i := range all {
				if err := r.endOneKept(tx, &all[i]); err != nil {
					return err
				}
				ended[all[i].Kind]++
			}
			return nil
		}); err != nil {
			return err
		}
		for kind, n := range ended {
			r.Ledger.Committed()
			r.metrics.notices.WithLabelValues(kind, string(NoticeExpired)).Add(float64(n))
		}
		if old < mostLetGo {
			return nil
		}
	}
}

func (r *Runner) endOneKept(tx store.Tx, n *Notice) error {
	now := r.now().UnixMilli()
	n.State, n.DoneAt, n.ExpiresAt = NoticeExpired, now, now
	if err := r.enterNotice(tx, n, string(NoticeExpired), ""); err != nil {
		return err
	}
	if err := r.Store.PutNotice(tx, n); err != nil {
		return fmt.Errorf("end what was kept: %w", err)
	}
	if err := r.Store.DropNoticeKey(tx, n.ID); err != nil {
		return fmt.Errorf("drop the key of what was kept: %w", err)
	}
	return nil
}
