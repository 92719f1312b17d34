package ledger_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// auditor is anyone who holds an earlier checkpoint and has the Go project's tlog and note packages:
// nothing in this file is Domicile's.
type auditor struct {
	key   string // the log's verifier key
	fetch func(ctx context.Context, path string) ([]byte, error)
}

// audit fetches the newest checkpoint, proves that earlier is a prefix of it, and reads every leaf.
func (a auditor) audit(earlier []byte) error {
	msg, err := a.fetch(context.Background(), "checkpoint")
	if err != nil {
		return err
	}
	tree, err := a.open(msg)
	if err != nil {
		return fmt.Errorf("newest checkpoint: %w", err)
	}
	old, err := a.open(earlier)
	if err != nil {
		return fmt.Errorf("earlier checkpoint: %w", err)
	}
	if tree.N < old.N {
		return fmt.Errorf("the log went back from %d to %d", old.N, tree.N)
	}
	r := tlog.TileHashReader(tree, a)
	if old.N > 0 {
		proof, err := tlog.ProveTree(tree.N, old.N, r)
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash); err != nil {
			return err
		}
	}
	return a.leaves(tree, r)
}

func (a auditor) open(msg []byte) (t tlog.Tree, err error) {
	v, err := note.NewVerifier(a.key)
	if err != nil {
		return t, err
	}
	n, err := note.Open(msg, note.VerifierList(v))
	if err != nil {
		return t, err
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 || lines[0] != v.Name() {
		return t, fmt.Errorf("not a checkpoint of %s", v.Name())
	}
	if t.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return t, err
	}
	t.Hash, err = tlog.ParseHash(lines[2])
	return t, err
}

// leaves compares the commitments in the bundles with the leaf hashes proven by the tiles.
func (a auditor) leaves(tree tlog.Tree, r tlog.HashReader) error {
	for first := int64(0); first < tree.N; first += 256 {
		width := min(256, tree.N-first)
		b, err := a.fetch(context.Background(), path(tlog.Tile{H: 8, L: -1, N: first / 256, W: int(width)}))
		if err != nil {
			return err
		}
		indexes := make([]int64, width)
		for i := range indexes {
			indexes[i] = tlog.StoredHashIndex(0, first+int64(i))
		}
		hashes, err := r.ReadHashes(indexes)
		if err != nil {
			return err
		}
		if len(b) != int(width)*34 {
			return fmt.Errorf("bundle of %d bytes for %d leaves", len(b), width)
		}
		for i := range hashes {
			e := b[34*i : 34*i+34]
			if e[0] != 0 || e[1] != 32 || tlog.RecordHash(e[2:]) != hashes[i] {
				return fmt.Errorf("leaf %d is not what the tree has", first+int64(i))
			}
		}
	}
	return nil
}

func path(t tlog.Tile) string {
	p := strings.TrimPrefix(t.Path(), "tile/8/")
	return "tile/" + strings.Replace(p, "data/", "entries/", 1)
}

func (a auditor) Height() int { return 8 }

func (a auditor) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(tiles))
	for i, t := range tiles {
		var err error
		if out[i], err = a.fetch(context.Background(), path(t)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (a auditor) SaveTiles([]tlog.Tile, [][]byte) {}

// forge is whoever has the log's real key: it publishes any history it likes.
func forge(signer note.Signer, commitments [][]byte) map[string][]byte {
	var stored []tlog.Hash
	r := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			out[i] = stored[x]
		}
		return out, nil
	})
	for i, c := range commitments {
		h, err := tlog.StoredHashes(int64(i), c, r)
		if err != nil {
			panic(err)
		}
		stored = append(stored, h...)
	}
	n := int64(len(commitments))
	root, err := tlog.TreeHash(n, r)
	if err != nil {
		panic(err)
	}
	files := map[string][]byte{}
	for _, t := range tlog.NewTiles(8, 0, n) {
		b, err := tlog.ReadTileData(t, r)
		if err != nil {
			panic(err)
		}
		files[path(t)] = b
		if t.L > 0 {
			continue
		}
		var bundle []byte
		for _, c := range commitments[t.N*256 : t.N*256+int64(t.W)] {
			bundle = append(append(bundle, 0, byte(len(c))), c...)
		}
		t.L = -1
		files[path(t)] = bundle
	}
	text := fmt.Sprintf("%s\n%d\n%s\n", signer.Name(), n, base64.StdEncoding.EncodeToString(root[:]))
	if files["checkpoint"], err = note.Sign(&note.Note{Text: text}, signer); err != nil {
		panic(err)
	}
	return files
}
