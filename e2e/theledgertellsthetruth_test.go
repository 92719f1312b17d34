package e2e

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// tileHeight is that of C2SP tlog-tiles: 256 hashes a tile.
const tileHeight = 8

// A log is what anyone can read of a region's ledger, kept in memory so that it can be altered.
type log struct {
	origin   string
	verifier note.Verifier
	tree     tlog.Tree
	tiles    map[string][]byte // by path below /ledger
}

// fetchLog reads the newest checkpoint and every tile under it, once size is reached.
func fetchLog(t testing.TB, r *region, size int64) *log {
	t.Helper()
	l := &log{origin: "domicile/" + r.ID, tiles: map[string][]byte{}}
	var err error
	if l.verifier, err = note.NewVerifier(strings.TrimSpace(string(r.w.get(t, r.URL+"/ledger/key")))); err != nil {
		t.Fatal(err)
	}
	r.w.eventually(fmt.Sprintf("a checkpoint over %d leaves", size), func() error {
		if l.tree, err = l.open(r.w.get(t, r.URL+"/ledger/checkpoint")); err != nil {
			t.Fatal(err)
		}
		if l.tree.N < size {
			return fmt.Errorf("it is over %d", l.tree.N)
		}
		return nil
	})
	for _, tile := range tlog.NewTiles(tileHeight, 0, l.tree.N) {
		l.tiles[tilePath(tile)] = r.w.get(t, r.URL+"/ledger/"+tilePath(tile))
		if tile.L == 0 {
			tile.L = -1
			l.tiles[tilePath(tile)] = r.w.get(t, r.URL+"/ledger/"+tilePath(tile))
		}
	}
	return l
}

// open verifies a checkpoint's signature and reads it.
func (l *log) open(signed []byte) (tlog.Tree, error) {
	n, err := note.Open(signed, note.VerifierList(l.verifier))
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("checkpoint: %w", err)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) < 4 || lines[0] != l.origin {
		return tlog.Tree{}, fmt.Errorf("checkpoint of %q, want %s", lines[0], l.origin)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("checkpoint: %w", err)
	}
	hash, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: hash}, err
}

// tilePath is where C2SP tlog-tiles has the tile: tile/<L>/<N>[.p/<W>], and tile/entries/<N> for L -1.
func tilePath(t tlog.Tile) string {
	level := strconv.Itoa(t.L)
	if t.L == -1 {
		level = "entries"
	}
	n := fmt.Sprintf("%03d", t.N%1000)
	for m := t.N / 1000; m > 0; m /= 1000 {
		n = fmt.Sprintf("x%03d/%s", m%1000, n)
	}
	path := "tile/" + level + "/" + n
	if t.W < 1<<t.H {
		path += fmt.Sprintf(".p/%d", t.W)
	}
	return path
}

// Height, ReadTiles and SaveTiles make a log a tlog.TileReader, so that x/mod's own code does
// all the checking.
func (l *log) Height() int                     { return tileHeight }
func (l *log) SaveTiles([]tlog.Tile, [][]byte) {}
func (l *log) ReadTiles(tiles []tlog.Tile) (data [][]byte, err error) {
	for _, t := range tiles {
		b, ok := l.tiles[tilePath(t)]
		if full := (tlog.Tile{H: t.H, L: t.L, N: t.N, W: 1 << t.H}); !ok {
			if b, ok = l.tiles[tilePath(full)]; ok && len(b) >= t.W*tlog.HashSize {
				b = b[:t.W*tlog.HashSize]
			}
		}
		if !ok {
			return nil, fmt.Errorf("no tile %s", tilePath(t))
		}
		data = append(data, b)
	}
	return data, nil
}

// verify recomputes the tree from the entry bundles and checks it and every hash tile against
// the checkpoint; old is a tree that was seen before and must be a beginning of this one.
func (l *log) verify(old tlog.Tree) error {
	hashes := tlog.TileHashReader(l.tree, l)
	if root, err := tlog.TreeHash(l.tree.N, hashes); err != nil {
		return err
	} else if root != l.tree.Hash {
		return fmt.Errorf("the tiles' tree is not the checkpoint's")
	}
	entries, err := l.entries()
	if err != nil {
		return err
	}
	for i, e := range entries {
		index := tlog.StoredHashIndex(0, int64(i))
		got, err := hashes.ReadHashes([]int64{index})
		if err != nil {
			return err
		}
		if got[0] != tlog.RecordHash(e) {
			return fmt.Errorf("entry %d is not in the tree", i)
		}
	}
	if old.N == 0 {
		return nil
	}
	proof, err := tlog.ProveTree(l.tree.N, old.N, hashes)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, l.tree.N, l.tree.Hash, old.N, old.Hash)
}

// entries are the leaves of all entry bundles: two bytes of length before each.
func (l *log) entries() (all [][]byte, err error) {
	for first := int64(0); first < l.tree.N; first += 1 << tileHeight {
		w := min(1<<tileHeight, int(l.tree.N-first))
		path := tilePath(tlog.Tile{H: tileHeight, L: -1, N: first >> tileHeight, W: w})
		b, ok := l.tiles[path]
		if !ok {
			return nil, fmt.Errorf("no bundle %s", path)
		}
		for range w {
			if len(b) < 2 || len(b) < 2+int(b[0])<<8+int(b[1]) {
				return nil, fmt.Errorf("bundle %s is cut short", path)
			}
			n := int(b[0])<<8 + int(b[1])
			all, b = append(all, b[2:2+n]), b[2+n:]
		}
		if len(b) > 0 {
			return nil, fmt.Errorf("bundle %s has %d bytes too many", path, len(b))
		}
	}
	return all, nil
}

func (l *log) clone() *log {
	c := *l
	c.tiles = map[string][]byte{}
	for path, b := range l.tiles {
		c.tiles[path] = slices.Clone(b)
	}
	return &c
}

// tiles is everything public of the region's ledger.
func (w *world) tiles(t testing.TB, r *region) map[string][]byte {
	t.Helper()
	return fetchLog(t, r, 1).tiles
}

// entryView is what the tenant sees of an entry. Entries of one commit group share a leaf; then
// sub says what the leaf's own entry is.
type entryView struct {
	Index *int64          `json:"index"`
	Entry json.RawMessage `json:"entry"`
	Nonce []byte          `json:"nonce"`
	Proof [][]byte        `json:"proof"`
	Sub   *struct {
		LeafEntry json.RawMessage `json:"leaf_entry"`
		LeafNonce []byte          `json:"leaf_nonce"`
	} `json:"sub"`
}

// TheLedgerTellsTheTruth: with golang.org/x/mod alone, whoever holds an old checkpoint sees any
// change, removal or reordering of what was decided before it.
func TestTheLedgerTellsTheTruth(t *testing.T) {
	onBothStores(t, func(t *testing.T, kind string) {
		w := newWorld(t, kind)
		ie1, c := w.region("ie1"), newCanaries()
		p := newPerson(c)
		p.live(t, ie1, c)
		old := fetchLog(t, ie1, 10)
		if err := old.verify(tlog.Tree{}); err != nil {
			t.Fatal(err)
		}
		got := ie1.erase(t, ie1.find(t, "user_id", p.user), false)
		for range 600 { // past two full tiles
			ie1.segment(t, "/v1/track", m{"userId": c.text("user"), "event": "Seen", "messageId": c.text("id")})
		}
		l := fetchLog(t, ie1, 520)
		if err := l.verify(old.tree); err != nil {
			t.Fatal(err)
		}
		t.Run("the receipt's entry is in it", func(t *testing.T) { entryIsProven(t, ie1, l, got) })
		t.Run("an altered copy is found", func(t *testing.T) { alterCopies(t, l, old.tree) })
		t.Run("other regions' ledgers verify too", func(t *testing.T) {
			for _, r := range w.up.Regions {
				if err := fetchLog(t, r, 1).verify(tlog.Tree{}); err != nil {
					t.Errorf("%s: %v", r.ID, err)
				}
			}
		})
		t.Run("the command line agrees", func(t *testing.T) {
			if out, errs, code := w.run("", "ledger", "verify", "--up", w.dir); code != 0 {
				t.Errorf("ledger verify: exit %d\n%s%s", code, out, errs)
			}
		})
		t.Run("after a restart", func(t *testing.T) {
			w.kill()
			w.start()
			if err := fetchLog(t, w.region("ie1"), l.tree.N).verify(l.tree); err != nil {
				t.Error(err)
			}
		})
		if kind == "sqlite" {
			t.Run("an altered store is found", func(t *testing.T) { alterStore(t, w, l) })
		}
	})
}

// entryIsProven recomputes the commitment from the entry and its nonce, and the way to the root.
func entryIsProven(t *testing.T, r *region, l *log, got receipt) {
	var v entryView
	r.w.eventually("a proof of the erasure's entry", func() error {
		if r.api(t, "GET", "/ledger/entries/"+got.Ledger.Entry, nil).want(t, 200).into(t, &v); v.Index == nil || v.Proof == nil {
			return fmt.Errorf("none yet")
		}
		return nil
	})
	if got.Ledger.Index != nil && *got.Ledger.Index != *v.Index {
		t.Errorf("the receipt says leaf %d, the entry %d", *got.Ledger.Index, *v.Index)
	}
	if !strings.Contains(string(v.Entry), got.Ledger.Entry) || !strings.Contains(string(v.Entry), `"erase"`) {
		t.Errorf("the entry does not name itself and what it is: %s", v.Entry)
	}
	entry, nonce := v.Entry, v.Nonce
	if v.Sub != nil {
		entry, nonce = v.Sub.LeafEntry, v.Sub.LeafNonce
	}
	leaf := sha256.Sum256(append(nonce, entry...))
	entries, err := l.entries()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(entries[*v.Index], leaf[:]) {
		t.Errorf("leaf %d is not SHA-256(nonce ‖ entry) of %s", *v.Index, got.Ledger.Entry)
	}
	proof, err := tlog.ProveRecord(l.tree.N, *v.Index, tlog.TileHashReader(l.tree, l))
	if err != nil {
		t.Fatal(err)
	}
	if err := tlog.CheckRecord(proof, l.tree.N, l.tree.Hash, *v.Index, tlog.RecordHash(leaf[:])); err != nil {
		t.Errorf("leaf %d: %v", *v.Index, err)
	}
}

// alterCopies changes what a mirror holds, in every way, and wants each found.
func alterCopies(t *testing.T, l *log, old tlog.Tree) {
	bundle0 := tilePath(tlog.Tile{H: tileHeight, L: -1, N: 0, W: 256})
	bundle1 := tilePath(tlog.Tile{H: tileHeight, L: -1, N: 1, W: 256})
	hashes0 := tilePath(tlog.Tile{H: tileHeight, L: 0, N: 0, W: 256})
	if len(l.tiles[bundle0]) == 0 || len(l.tiles[bundle1]) == 0 || len(l.tiles[hashes0]) == 0 {
		t.Fatal("the log is too small to alter")
	}
	const leaf = 2 + sha256.Size // of a bundle
	swap := func(b []byte, i, j, n int) {
		for k := range n {
			b[i*n+k], b[j*n+k] = b[j*n+k], b[i*n+k]
		}
	}
	for name, change := range map[string]func(c *log){
		"one bit of an entry":        func(c *log) { c.tiles[bundle0][leaf*3+7] ^= 1 },
		"one bit of a hash":          func(c *log) { c.tiles[hashes0][32*3+7] ^= 1 },
		"two entries swapped":        func(c *log) { swap(c.tiles[bundle0], 3, 4, leaf) },
		"entries and hashes swapped": func(c *log) { swap(c.tiles[bundle0], 3, 4, leaf); swap(c.tiles[hashes0], 3, 4, 32) },
		"an entry removed":           func(c *log) { c.tiles[bundle0] = slices.Delete(c.tiles[bundle0], leaf*3, leaf*4) },
		"an entry doubled": func(c *log) {
			c.tiles[bundle0] = slices.Insert(c.tiles[bundle0], leaf*3, c.tiles[bundle0][leaf*2:leaf*3]...)
		},
		"two bundles swapped": func(c *log) { c.tiles[bundle0], c.tiles[bundle1] = c.tiles[bundle1], c.tiles[bundle0] },
		"a bundle cut short":  func(c *log) { c.tiles[bundle1] = c.tiles[bundle1][:len(c.tiles[bundle1])-1] },
		"an entry and its hash replaced": func(c *log) {
			e := c.tiles[bundle0][leaf*3+2 : leaf*4]
			e[0] ^= 1
			h := tlog.RecordHash(e)
			copy(c.tiles[hashes0][32*3:], h[:])
		},
		"the end removed, and another checkpoint": func(c *log) { c.tree.N = old.N - 1 },
		"another root": func(c *log) { c.tree.Hash[0] ^= 1 },
	} {
		c := l.clone()
		if change(c); c.verify(old) == nil {
			t.Errorf("%s: not found", name)
		}
	}
	t.Run("a rewritten log is found by an old checkpoint", func(t *testing.T) {
		entries, err := l.entries()
		if err != nil {
			t.Fatal(err)
		}
		for name, forged := range map[string][][]byte{
			"changed":   replaced(entries, 2, make([]byte, 32)),
			"removed":   slices.Delete(slices.Clone(entries), 2, 3),
			"reordered": swapped(entries, 2, 3),
			"prepended": slices.Insert(slices.Clone(entries), 0, make([]byte, 32)),
		} {
			c, err := rebuild(l, forged)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.verify(tlog.Tree{}); err != nil {
				t.Fatalf("%s: the forged log is not even consistent with itself: %v", name, err)
			}
			if c.verify(old) == nil {
				t.Errorf("%s: whoever held the old checkpoint did not see it", name)
			}
		}
	})
	t.Run("a checkpoint by another key", func(t *testing.T) {
		skey, _, err := note.GenerateKey(nil, l.origin)
		if err != nil {
			t.Fatal(err)
		}
		signer, err := note.NewSigner(skey)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", l.origin, l.tree.N, l.tree.Hash)}, signer)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.open(signed); err == nil {
			t.Error("it was taken")
		}
	})
}

func replaced(es [][]byte, i int, with []byte) [][]byte {
	es = slices.Clone(es)
	es[i] = with
	return es
}

func swapped(es [][]byte, i, j int) [][]byte {
	es = slices.Clone(es)
	es[i], es[j] = es[j], es[i]
	return es
}

// rebuild makes the log that a cheating operator would serve, with all tiles in order.
func rebuild(l *log, entries [][]byte) (*log, error) {
	c := &log{origin: l.origin, verifier: l.verifier, tiles: map[string][]byte{}}
	var stored memoryHashes
	for i, e := range entries {
		hs, err := tlog.StoredHashes(int64(i), e, &stored)
		if err != nil {
			return nil, err
		}
		stored = append(stored, hs...)
	}
	root, err := tlog.TreeHash(int64(len(entries)), &stored)
	if err != nil {
		return nil, err
	}
	c.tree = tlog.Tree{N: int64(len(entries)), Hash: root}
	for _, tile := range tlog.NewTiles(tileHeight, 0, c.tree.N) {
		if c.tiles[tilePath(tile)], err = tlog.ReadTileData(tile, &stored); err != nil {
			return nil, err
		}
		if tile.L == 0 {
			var b []byte
			for _, e := range entries[tile.N<<tileHeight:][:tile.W] {
				b = append(append(b, byte(len(e)>>8), byte(len(e))), e...)
			}
			tile.L = -1
			c.tiles[tilePath(tile)] = b
		}
	}
	return c, nil
}

type memoryHashes []tlog.Hash

func (h *memoryHashes) ReadHashes(indexes []int64) (out []tlog.Hash, err error) {
	for _, i := range indexes {
		out = append(out, (*h)[i])
	}
	return out, nil
}
