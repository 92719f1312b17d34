package ledger

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"domicile.dev/internal/fault"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Fetch returns what a log serves at path below /ledger/: "checkpoint", "tile/0/000.p/5". What is
// not there is a fault NotFound.
type Fetch func(ctx context.Context, path string) ([]byte, error)

// Defect is one thing that doesn't hold: where, and what.
type Defect struct {
	Where string `json:"where"`
	What  string `json:"what"`
}

// maxDefects is how many are listed; a log that is all wrong needs no longer list.
const maxDefects = 100

// Cosigned is a witness's word for a checkpoint.
type Cosigned struct {
	Witness string    `json:"witness"`
	At      time.Time `json:"at"`
}

// Report is what VerifyLog found.
type Report struct {
	Origin   string     `json:"origin"`
	Size     int64      `json:"size"`
	Root     string     `json:"root"`
	Since    *int64     `json:"since"` // size of the earlier checkpoint, nil without one
	Cosigned []Cosigned `json:"cosigned"`
	Defects  []Defect   `json:"defects"`
	More     int        `json:"more_defects,omitempty"` // beyond those listed
	// Checkpoint is the signed note that was verified.
	Checkpoint []byte `json:"-"`
}

// Holds says whether nothing is wrong.
func (r *Report) Holds() bool { return len(r.Defects) == 0 }

func (r *Report) add(where, what string, args ...any) {
	if len(r.Defects) == maxDefects {
		r.More++ // verification ends at the next tile
		return
	}
	r.Defects = append(r.Defects, Defect{Where: where, What: fmt.Sprintf(what, args...)})
}

// Against is what a log is verified against.
type Against struct {
	Log       note.Verifier
	Witnesses []note.Verifier // whose cosignatures are checked where they are present
	Since     []byte          // an earlier checkpoint that must be a prefix; nil for none
}

// VerifyLog reads a whole log, recomputes it from the commitments up, and reports every defect. The
// error is for what could not be judged: the checkpoint or a tile can't be fetched, or Since is
// no checkpoint of this log.
func VerifyLog(ctx context.Context, fetch Fetch, a Against) (*Report, error) {
	var old Checkpoint
	r := &Report{Cosigned: []Cosigned{}, Defects: []Defect{}}
	if a.Since != nil {
		var err error
		if old, _, err = OpenCheckpoint(a.Since, a.Log, a.Witnesses...); err != nil {
			return nil, fault.New(fault.Invalid, "ledger.bad_since", "the earlier checkpoint is not signed with this log's key").Because(err)
		}
		r.Since = &old.Size
	}
	msg, err := fetch(ctx, "checkpoint")
	if err != nil {
		return nil, fmt.Errorf("fetch checkpoint: %w", err)
	}
	r.Checkpoint = msg
	cp, n, err := OpenCheckpoint(msg, a.Log, a.Witnesses...)
	if err != nil {
		r.add("checkpoint", "%v", err)
		return r, nil
	}
	r.Origin, r.Size, r.Root = cp.Origin, cp.Size, cp.Root.String()
	for _, s := range n.Sigs {
		if s.Name != a.Log.Name() {
			r.Cosigned = append(r.Cosigned, Cosigned{Witness: s.Name, At: cosignTime(s)})
		}
	}
	if cp.Size < old.Size {
		r.add("checkpoint", "the log went back: %d leaves now, %d before", cp.Size, old.Size)
	} else if cp.Size == old.Size && a.Since != nil && cp.Root != old.Root {
		r.add("checkpoint", "the log was forked: another root of the same %d leaves was signed before", old.Size)
	}
	c := checking{ctx: ctx, fetch: fetch, report: r, old: old, want: cp}
	return r, c.run()
}

// checking walks through a log once, from the first leaf to the last.
type checking struct {
	ctx    context.Context
	fetch  Fetch
	report *Report
	old    Checkpoint
	want   Checkpoint

	leaves, tiles edge        // recomputed from commitments; from the tiles of level 0
	above         []tlog.Hash // roots of the full tiles of the level just checked
}

func (c *checking) run() error {
	for first := int64(0); first < c.want.Size; first += tileWidth {
		if c.report.More > 0 {
			return nil
		}
		if err := c.bundle(first, int(min(tileWidth, c.want.Size-first))); err != nil {
			return err
		}
	}
	if root := c.leaves.root(); root != c.want.Root && c.leaves.size == c.want.Size {
		c.report.add("entries", "the commitments lead to root %s, the checkpoint says %s", root, c.want.Root)
	}
	if root := c.tiles.root(); root != c.want.Root && c.tiles.size == c.want.Size {
		c.report.add("tiles", "the tiles of level 0 lead to root %s, the checkpoint says %s", root, c.want.Root)
	}
	for level := 1; len(c.above) > 0; level++ {
		if err := c.level(level); err != nil {
			return err
		}
	}
	return nil
}

// get fetches a tile; nil without an error when it is missing or of the wrong size, which is a defect.
func (c *checking) get(t tlog.Tile, bytes int) ([]byte, error) {
	path := tilePath(t)
	b, err := c.fetch(c.ctx, path)
	if fault.KindOf(err) == fault.NotFound {
		c.report.add(path, "missing")
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("fetch %s: %w", path, err)
	}
	if len(b) != bytes {
		c.report.add(path, "has %d bytes, want %d", len(b), bytes)
		return nil, nil
	}
	return b, nil
}

// bundle checks width leaves from first on: commitments, and the tile of level 0 over them.
func (c *checking) bundle(first int64, width int) error {
	n := first >> tileHeight
	entries, err := c.get(tlog.Tile{H: tileHeight, L: -1, N: n, W: width}, width*(2+tlog.HashSize))
	if err != nil {
		return err
	}
	tile := tlog.Tile{H: tileHeight, L: 0, N: n, W: width}
	hashes, err := c.get(tile, width*tlog.HashSize)
	if err != nil {
		return err
	}
	var room []byte
	var top edge // of this tile, to compare with the level above
	for i := range width {
		var leaf tlog.Hash
		if entries != nil {
			e := entries[i*(2+tlog.HashSize):]
			if e[0] != 0 || e[1] != tlog.HashSize {
				c.report.add(fmt.Sprintf("leaf %d", first+int64(i)), "its commitment has %d bytes, want 32", int(e[0])<<8|int(e[1]))
			}
			leaf = tlog.RecordHash(e[2 : 2+tlog.HashSize])
			room = c.leaves.add(room[:0], leaf)
		}
		if hashes != nil {
			h := tlog.Hash(hashes[i*tlog.HashSize : (i+1)*tlog.HashSize])
			room = c.tiles.add(room[:0], h)
			if entries != nil && h != leaf {
				c.report.add(fmt.Sprintf("leaf %d", first+int64(i)), "the hash in %s is not that of its commitment", tilePath(tile))
			}
			if entries == nil {
				leaf = h
			}
		}
		room = top.add(room[:0], leaf)
		if c.leaves.size == first+int64(i)+1 {
			c.compareOld()
		}
	}
	if width == tileWidth {
		c.above = append(c.above, top.root())
	}
	return nil
}

// compareOld checks the earlier checkpoint's root when just its leaves were read.
func (c *checking) compareOld() {
	if c.old.Size == 0 || c.leaves.size != c.old.Size || c.old.Size == c.want.Size {
		return
	}
	if root := c.leaves.root(); root != c.old.Root {
		c.report.add("history", "the first %d leaves are not those of the earlier checkpoint: root %s, then %s", c.old.Size, root, c.old.Root)
	}
}

// level checks the tiles of a level above 0, whose hashes must be above, and makes above those of the next.
func (c *checking) level(level int) error {
	below := c.above
	c.above = nil
	for first := 0; first < len(below); first += tileWidth {
		part := below[first:min(first+tileWidth, len(below))]
		t := tlog.Tile{H: tileHeight, L: level, N: int64(first >> tileHeight), W: len(part)}
		b, err := c.get(t, len(part)*tlog.HashSize)
		if err != nil {
			return err
		}
		var top edge
		for i, want := range part {
			top.add(nil, want)
			if b != nil && !bytes.Equal(b[i*tlog.HashSize:(i+1)*tlog.HashSize], want[:]) {
				c.report.add(tilePath(t), "hash %d is not that of the tile below", i)
			}
		}
		if len(part) == tileWidth {
			c.above = append(c.above, top.root())
		}
	}
	return nil
}
