package ledger

import (
	"crypto/sha256"
	"fmt"

	"domicile.dev/internal/store"
	"golang.org/x/mod/sumdb/tlog"
)

// maxLevels is how high the tree can grow: leaf indexes have 48 bits.
const maxLevels = 48

// edge is the right edge of a tree: one complete subtree for each bit set in size, its hash at
// that bit's number. It is all that appending needs to know of the past.
type edge struct {
	size int64
	last tlog.Hash // of leaf size-1
	hash [maxLevels]tlog.Hash
}

// add appends a leaf and appends to dst the hashes that the leaf completes, itself first. This is
// the order of tlog.StoredHashes.
func (e *edge) add(dst []byte, leaf tlog.Hash) []byte {
	h, level := leaf, 0
	dst = append(dst, h[:]...)
	for ; e.size>>level&1 == 1; level++ {
		h = tlog.NodeHash(e.hash[level], h)
		dst = append(dst, h[:]...)
	}
	e.hash[level], e.last = h, leaf
	e.size++
	return dst
}

// root returns the tree's root hash.
func (e *edge) root() (h tlog.Hash) {
	if e.size == 0 {
		return sha256.Sum256(nil) // RFC 6962 section 2.1
	}
	first := true
	for level := range maxLevels {
		if e.size>>level&1 == 0 {
			continue
		}
		if first {
			h, first = e.hash[level], false
		} else {
			h = tlog.NodeHash(e.hash[level], h)
		}
	}
	return h
}

// edgeAt returns the edge of the tree of that size, whose last leaf's stored hashes are last. The
// one in memory is taken only when it ends in the same leaf: leaf hashes hold 32 random bytes,
// so neither a rolled-back transaction nor another node's append can pass for it.
func (l *Ledger) edgeAt(tx store.Tx, size int64, last []byte) (edge, error) {
	if size == 0 {
		return edge{}, nil
	}
	if len(last) < tlog.HashSize {
		return edge{}, fmt.Errorf("ledger of %d leaves: the last one's hashes are missing", size)
	}
	l.mu.Lock()
	e := l.edge
	l.mu.Unlock()
	if e.size == size && e.last == tlog.Hash(last[:tlog.HashSize]) {
		return e, nil
	}
	e = edge{size: size, last: tlog.Hash(last[:tlog.HashSize])}
	var levels []int
	var leaves []int64
	for level := range maxLevels {
		if size>>level&1 == 1 {
			levels = append(levels, level)
			leaves = append(leaves, size>>level<<level-1)
		}
	}
	seen := 0
	err := l.store.Hashes(tx, leaves, func(i int, hashes []byte) error {
		at := levels[i] * tlog.HashSize
		if len(hashes) < at+tlog.HashSize {
			return fmt.Errorf("leaf %d: its stored hashes are too short", leaves[i])
		}
		e.hash[levels[i]] = tlog.Hash(hashes[at : at+tlog.HashSize])
		seen++
		return nil
	})
	if err == nil && seen != len(leaves) {
		err = fmt.Errorf("ledger of %d leaves: %d of %d hashes at its edge are missing", size, len(leaves)-seen, len(leaves))
	}
	return e, err
}

// reader reads stored hashes by their tlog index within tx.
func (l *Ledger) reader(tx store.Tx) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		leaves, at := make([]int64, len(indexes)), make([]int, len(indexes))
		for i, x := range indexes {
			level, n := tlog.SplitStoredHashIndex(x)
			leaves[i], at[i] = (n+1)<<level-1, level*tlog.HashSize
		}
		out, seen := make([]tlog.Hash, len(indexes)), 0
		err := l.store.Hashes(tx, leaves, func(i int, hashes []byte) error {
			if len(hashes) < at[i]+tlog.HashSize {
				return missing("leaf %d: its stored hashes are too short", leaves[i])
			}
			out[i] = tlog.Hash(hashes[at[i] : at[i]+tlog.HashSize])
			seen++
			return nil
		})
		if err == nil && seen != len(indexes) {
			err = missing("%d of %d stored hashes are missing", len(indexes)-seen, len(indexes))
		}
		return out, err
	})
}
