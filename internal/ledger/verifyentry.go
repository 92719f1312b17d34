package ledger

import (
	"fmt"

	"domicile.dev/internal/id"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// VerifyEntry checks a shown entry with nothing but the log's key: that the entry is the one
// committed to at its index, in its group, under the checkpoint that the log signed. It returns
// what doesn't hold, nil when all does, and the checkpoint. An entry without a proof yet is a defect.
//
// Whether the checkpoint is that of the log everybody sees is for VerifyLog, or for whoever compares
// it with the one that witnesses cosigned.
func VerifyEntry(v EntryView, log note.Verifier) (Checkpoint, []Defect) {
	c := entryCheck{view: v}
	own, canonical := c.parse("entry", v.Entry)
	if len(v.Nonce) != nonceBytes {
		c.add("nonce", "has %d bytes, want %d", len(v.Nonce), nonceBytes)
	}
	if own.ID != v.ID {
		c.add("entry", "its id is not the one asked for")
	}
	if v.Sub == nil {
		c.at("entry", own.ID, 0)
		c.leaf(canonical, v.Nonce)
	} else {
		c.at("entry", own.ID, v.Sub.Ordinal)
		c.group(own, canonical)
	}
	return c.proof(log), c.defects
}

type entryCheck struct {
	view    EntryView
	hash    tlog.Hash // of the leaf
	defects []Defect
}

func (c *entryCheck) add(where, what string, args ...any) {
	c.defects = append(c.defects, Defect{Where: where, What: fmt.Sprintf(what, args...)})
}

func (c *entryCheck) parse(where string, b []byte) (parsed, []byte) {
	p, canonical, err := parseEntry(b)
	if err != nil {
		c.add(where, "%v", err)
	}
	return p, canonical
}

// leaf takes the entry that the leaf commits to.
func (c *entryCheck) leaf(entry, nonce []byte) {
	h := commit(nonce, entry)
	c.hash = tlog.RecordHash(h[:])
}

// at checks that an id names the view's leaf and the ordinal.
func (c *entryCheck) at(where, text string, ordinal int) {
	e, err := id.ParseEntry(text)
	if err != nil {
		c.add(where, "its id is malformed")
		return
	}
	if leaf, o := place(e); leaf != c.view.Index || o != ordinal {
		c.add(where, "its id names leaf %d, ordinal %d; it is shown at leaf %d, ordinal %d", leaf, o, c.view.Index, ordinal)
	}
}

// group takes the view's entry as a sub-entry of its leaf's.
func (c *entryCheck) group(own parsed, canonical []byte) {
	s := c.view.Sub
	leaf, leafCanonical := c.parse("leaf_entry", s.LeafEntry)
	c.at("leaf_entry", leaf.ID, 0)
	if own.Kind != leaf.Kind || own.Tenant != leaf.Tenant {
		c.add("leaf_entry", "is of another kind or tenant than its sub-entry")
	}
	if leaf.Sub == nil || leaf.Sub.Count < 2 || int64(s.Ordinal) > leaf.Sub.Count || s.Ordinal < 1 {
		c.add("leaf_entry", "has no sub-entry %d", s.Ordinal)
	} else {
		h := commit(c.view.Nonce, canonical)
		err := tlog.CheckRecord(s.Path, leaf.Sub.Count, leaf.Sub.Root, int64(s.Ordinal-1), tlog.RecordHash(h[:]))
		if err != nil {
			c.add("path", "the entry and its nonce are not sub-entry %d of the leaf", s.Ordinal)
		}
	}
	c.leaf(leafCanonical, s.LeafNonce)
}

// proof checks the checkpoint and that the leaf is under it.
func (c *entryCheck) proof(log note.Verifier) (cp Checkpoint) {
	if c.view.Checkpoint == nil {
		c.add("checkpoint", "none covers the entry yet")
		return cp
	}
	cp, _, err := OpenCheckpoint([]byte(*c.view.Checkpoint), log)
	if err != nil {
		c.add("checkpoint", "%v", err)
		return cp
	}
	if err := tlog.CheckRecord(c.view.Proof, cp.Size, cp.Root, c.view.Index, c.hash); err != nil {
		c.add("proof", "the entry is not leaf %d of the %d under the checkpoint", c.view.Index, cp.Size)
	}
	return cp
}
