package ledger

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
	"golang.org/x/mod/sumdb/tlog"
)

// EntryView is an entry with all that it takes to verify it. It is shown to whom the entry concerns;
// whether Tenant is the caller's is the service's to check. Format: docs/formats/ledger.md,
// "Showing an entry".
type EntryView struct {
	ID         string          `json:"id"`
	Index      int64           `json:"index"`
	Entry      json.RawMessage `json:"entry"`
	Nonce      []byte          `json:"nonce"`
	Sub        *SubView        `json:"sub"`
	Proof      []tlog.Hash     `json:"proof"`      // of inclusion; nil while no checkpoint covers the leaf
	Checkpoint *string         `json:"checkpoint"` // likewise

	Tenant string `json:"-"`
	Kind   string `json:"-"`
}

// SubView says where a sub-entry stands in its group.
type SubView struct {
	Ordinal   int             `json:"ordinal"` // from 1
	Path      []tlog.Hash     `json:"path"`    // to leaf_entry.sub.root
	LeafEntry json.RawMessage `json:"leaf_entry"`
	LeafNonce []byte          `json:"leaf_nonce"`
}

// Entry returns an entry as tx sees it, proven against the newest checkpoint where that reaches so
// far. An id that names none is a fault NotFound.
func (l *Ledger) Entry(tx store.Tx, e id.Entry) (v EntryView, err error) {
	index, ordinal := place(e)
	leaf, err := l.store.Leaf(tx, index)
	if err != nil {
		return v, err
	}
	v = EntryView{ID: e.String(), Index: index, Entry: leaf.Entry, Nonce: leaf.Nonce, Tenant: leaf.Tenant, Kind: leaf.Kind}
	if ordinal > 0 {
		if err := v.sub(leaf, ordinal); err != nil {
			return EntryView{}, err
		}
	}
	var own struct{ ID string }
	if err := json.Unmarshal(v.Entry, &own); err != nil {
		return EntryView{}, fmt.Errorf("leaf %d: its entry: %w", index, err)
	} else if own.ID != v.ID { // the random part is another's
		return EntryView{}, noEntry()
	}
	size, _, err := l.store.Checkpoint(tx)
	if err != nil || index >= size {
		return v, err
	}
	proof, err := tlog.ProveRecord(size, index, l.reader(tx))
	if err != nil {
		return v, fmt.Errorf("prove %s: %w", e, err)
	}
	msg, err := l.cosignedCheckpoint(tx)
	text := string(msg)
	v.Proof, v.Checkpoint = append([]tlog.Hash{}, proof...), &text
	return v, err
}

func noEntry() error { return fault.New(fault.NotFound, "ledger.no_entry", "there is no such entry") }

// sub turns v, which shows a leaf's entry, to its sub-entry.
func (v *EntryView) sub(leaf *Leaf, ordinal int) error {
	s := &SubView{Ordinal: ordinal, LeafEntry: leaf.Entry, LeafNonce: leaf.Nonce}
	var hashes []tlog.Hash // as tlog stores them
	var tree edge
	n := 0
	for rest := leaf.Subs; len(rest) > 0; {
		nonce, entry, after, err := cutSub(rest)
		if err != nil {
			return fmt.Errorf("leaf %d: %w", leaf.Index, err)
		}
		if n++; n == ordinal {
			v.Entry, v.Nonce = entry, nonce
		}
		c := commit(nonce, entry)
		for b := tree.add(nil, tlog.RecordHash(c[:])); len(b) > 0; b = b[tlog.HashSize:] {
			hashes = append(hashes, tlog.Hash(b[:tlog.HashSize]))
		}
		rest = after
	}
	if ordinal > n {
		return noEntry()
	}
	path, err := tlog.ProveRecord(int64(n), int64(ordinal-1), tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			out[i] = hashes[x]
		}
		return out, nil
	}))
	s.Path, v.Sub = append([]tlog.Hash{}, path...), s
	return err
}

// cutSub takes the first of stored sub-entries.
func cutSub(b []byte) (nonce, entry, rest []byte, err error) {
	if len(b) < nonceBytes+4 {
		return nil, nil, nil, fmt.Errorf("stored sub-entries end too early")
	}
	n := int64(binary.BigEndian.Uint32(b[nonceBytes:]))
	nonce, b = b[:nonceBytes], b[nonceBytes+4:]
	if n > int64(len(b)) {
		return nil, nil, nil, fmt.Errorf("stored sub-entries end too early")
	}
	return nonce, b[:n], b[n:], nil
}
