package ledger

import (
	"context"
	"strings"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/store"
	"golang.org/x/mod/sumdb/tlog"
)

// tileHeight is that of c2sp.org/tlog-tiles: 256 hashes a tile.
const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
)

// parseTile parses what follows /ledger/ in a tile's path: "tile/0/x001/234.p/5", "tile/entries/000".
// L is -1 for a bundle of entries.
func parseTile(path string) (tlog.Tile, bool) {
	rest, ok := strings.CutPrefix(path, "tile/")
	if !ok || len(path) > 100 {
		return tlog.Tile{}, false
	}
	if n, ok := strings.CutPrefix(rest, "entries/"); ok {
		rest = "data/" + n
	} else if strings.HasPrefix(rest, "data/") {
		return tlog.Tile{}, false
	}
	t, err := tlog.ParseTilePath("tile/8/" + rest)
	return t, err == nil && t.L < 64
}

// tilePath is the inverse of parseTile.
func tilePath(t tlog.Tile) string {
	p := strings.TrimPrefix(t.Path(), "tile/8/")
	if n, ok := strings.CutPrefix(p, "data/"); ok {
		p = "entries/" + n
	}
	return "tile/" + p
}

// within says whether a tree of size leaves has the whole tile.
func within(t tlog.Tile, size int64) bool {
	level := max(t.L, 0) * tileHeight
	if level >= maxLevels {
		return false
	}
	have := size >> level
	return t.N <= have>>tileHeight && t.N<<tileHeight+int64(t.W) <= have
}

// Tile returns what stands at path below /ledger/, and whether it is full and so never changes.
// It is a fault NotFound when path is none or the newest checkpoint doesn't reach so far.
func (l *Ledger) Tile(ctx context.Context, path string) (b []byte, full bool, err error) {
	t, ok := parseTile(path)
	if !ok {
		return nil, false, noTile()
	}
	err = l.db.View(ctx, func(tx store.Tx) error {
		size, _, err := l.store.Checkpoint(tx)
		if err != nil {
			return err
		}
		if !within(t, size) {
			return noTile()
		}
		b, err = l.readTile(tx, t)
		return err
	})
	return b, t.W == tileWidth, err
}

func noTile() error { return fault.New(fault.NotFound, "ledger.no_tile", "there is no such tile") }

// missing is the fault of what a checkpoint covers and the store has no more: a defect for whoever
// verifies, and no outage. Kind Gone.
func missing(public string, args ...any) error {
	return fault.New(fault.Gone, "ledger.missing_leaf", public, args...).
		WithHint("the store was altered or damaged: restore the ledger's tables from a backup")
}

func (l *Ledger) readTile(tx store.Tx, t tlog.Tile) ([]byte, error) {
	if t.L > 0 {
		return tlog.ReadTileData(t, l.reader(tx))
	}
	b := make([]byte, 0, t.W*(2+tlog.HashSize))
	first, seen := t.N<<tileHeight, 0
	err := l.store.Public(tx, first, first+int64(t.W), func(commitment, hashes []byte) error {
		seen++
		if t.L < 0 {
			b = append(append(b, 0, byte(len(commitment))), commitment...)
		} else {
			b = append(b, hashes[:min(tlog.HashSize, len(hashes))]...)
		}
		return nil
	})
	if err == nil && seen != t.W {
		err = missing("%d of %d leaves are missing", t.W-seen, t.W)
	}
	return b, err
}
