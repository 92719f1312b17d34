package ledger

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
	"golang.org/x/mod/sumdb/tlog"
)

// SelfReport is what a node found in the entries that only its store holds.
type SelfReport struct {
	From    int64    `json:"from"` // first leaf looked at so far
	Size    int64    `json:"size"` // leaves when it began
	Defects []Defect `json:"defects"`
}

const (
	lookStep  = 256
	lookFirst = 250 * time.Millisecond // at most, before the log opens
	lookPause = 50 * time.Millisecond  // between steps afterwards
)

// Self returns what was found so far.
func (l *Ledger) Self() SelfReport {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.self
	r.Defects = append([]Defect{}, r.Defects...)
	return r
}

// lookAtItself reads entries from the newest back until the time is over.
func (l *Ledger) lookAtItself(ctx context.Context) error {
	err := l.db.View(ctx, func(tx store.Tx) error {
		size, _, err := l.store.Head(tx)
		l.self = SelfReport{From: size, Size: size}
		return err
	})
	for end := time.Now().Add(lookFirst); err == nil && l.self.From > 0 && time.Now().Before(end); {
		err = l.look(ctx)
	}
	return err
}

// lookOn reads the rest, with pauses.
func (l *Ledger) lookOn(ctx context.Context) {
	for l.Self().From > 0 {
		if err := l.look(ctx); err != nil && ctx.Err() == nil {
			l.log.WarnContext(ctx, "stopped looking at the ledger's own entries", "origin", l.keys.origin, "error", err)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookPause):
		}
	}
}

// look checks the step before the first leaf looked at.
func (l *Ledger) look(ctx context.Context) error {
	end := l.Self().From
	first := max(0, end-lookStep)
	var found []Defect
	err := l.db.View(ctx, func(tx store.Tx) error {
		found = nil
		next := first
		missing := func(to int64) {
			for ; next < to; next++ {
				found = append(found, Defect{Where: fmt.Sprintf("leaf %d", next), What: "it is missing"})
			}
		}
		err := l.store.Private(tx, first, end, func(leaf *Leaf) error {
			missing(leaf.Index)
			next = leaf.Index + 1
			if what := leaf.wrong(); what != "" {
				found = append(found, Defect{Where: fmt.Sprintf("leaf %d", leaf.Index), What: what})
			}
			return nil
		})
		missing(end)
		return err
	})
	if err != nil {
		return err
	}
	for _, d := range found {
		l.log.ErrorContext(ctx, "a ledger entry in the store is not what was committed", "origin", l.keys.origin, "where", d.Where, "what", d.What)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.self.From = first
	if room := maxDefects - len(l.self.Defects); len(found) > room {
		found = found[:room]
	}
	l.self.Defects = append(slices.Clip(l.self.Defects), found...)
	return nil
}

// wrong says what doesn't hold of a stored leaf, "" when all does.
func (leaf *Leaf) wrong() string {
	if leaf.Entry == nil {
		return "its entry is missing"
	}
	if commit(leaf.Nonce, leaf.Entry) != leaf.Commitment {
		return "its entry and nonce are not what was committed"
	}
	p, canonical, err := parseEntry(leaf.Entry)
	if err != nil || !bytes.Equal(canonical, leaf.Entry) {
		return "its entry is malformed"
	}
	if e, err := id.ParseEntry(p.ID); err != nil || e != newID(leaf.Index, 0, e[8:]) {
		return "its entry's id names another place"
	}
	if p.Sub == nil {
		if leaf.Subs != nil {
			return "it has sub-entries, and its entry knows of none"
		}
		return ""
	}
	var tree edge
	for rest := leaf.Subs; len(rest) > 0; {
		nonce, entry, after, err := cutSub(rest)
		if err != nil {
			return "its sub-entries are malformed"
		}
		c := commit(nonce, entry)
		tree.add(nil, tlog.RecordHash(c[:]))
		rest = after
	}
	if tree.size != p.Sub.Count || tree.root() != p.Sub.Root {
		return "its sub-entries are not what was committed"
	}
	return ""
}
