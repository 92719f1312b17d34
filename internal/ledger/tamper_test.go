package ledger_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// published is a log as static files.
type published map[string][]byte

func (p published) fetch(_ context.Context, path string) ([]byte, error) {
	if b, ok := p[path]; ok {
		return b, nil
	}
	return nil, fault.New(fault.NotFound, "test.missing", "missing")
}

func (w *world) publish(t testing.TB, size int64) published {
	t.Helper()
	p := published{}
	tiles := tlog.NewTiles(8, 0, size)
	for _, tile := range slices.Clone(tiles) {
		if tile.L == 0 {
			tile.L = -1
			tiles = append(tiles, tile)
		}
	}
	for _, name := range append([]string{"checkpoint"}, paths(tiles)...) {
		b, err := w.fetch(context.Background(), name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		p[name] = b
	}
	return p
}

func paths(tiles []tlog.Tile) (out []string) {
	for _, t := range tiles {
		out = append(out, path(t))
	}
	return out
}

// detected says whether the independent auditor and our own verification both find the log wrong.
func detected(t testing.TB, what string, p published, key string, earlier []byte) {
	t.Helper()
	if (auditor{key: key, fetch: p.fetch}).audit(earlier) == nil {
		t.Errorf("%s: a holder of an earlier checkpoint sees nothing with standard tools", what)
	}
	v, err := ledger.NewVerifier(key)
	if err != nil {
		t.Fatal(err)
	}
	r, err := ledger.VerifyLog(context.Background(), p.fetch, ledger.Against{Log: v, Since: earlier})
	if err == nil && r.Holds() {
		t.Errorf("%s: VerifyLog sees nothing", what)
	}
}

func holds(t testing.TB, p func(context.Context, string) ([]byte, error), key string, earlier []byte) {
	t.Helper()
	if err := (auditor{key: key, fetch: p}).audit(earlier); err != nil {
		t.Fatalf("auditor on an honest log: %v", err)
	}
	v, err := ledger.NewVerifier(key)
	if err != nil {
		t.Fatal(err)
	}
	r, err := ledger.VerifyLog(context.Background(), p, ledger.Against{Log: v, Since: earlier})
	if err != nil || !r.Holds() {
		t.Fatalf("VerifyLog on an honest log: %+v, %v", r, err)
	}
}

// realSigner is the log's key in other hands.
func realSigner(t testing.TB, origin string, seed []byte) (note.Signer, string) {
	t.Helper()
	key := ed25519.NewKeyFromSeed(seed)
	vkey, err := note.NewEd25519VerifierKey(origin, key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	id := strings.Split(vkey, "+")[1]
	s, err := note.NewSigner("PRIVATE+KEY+" + origin + "+" + id + "+" + base64.StdEncoding.EncodeToString(append([]byte{1}, seed...)))
	if err != nil {
		t.Fatal(err)
	}
	return s, vkey
}

func TestHolderOfAnEarlierCheckpointDetectsEveryChange(t *testing.T) {
	w := newWorld(t)
	w.grow(t, 131)
	earlier := w.sign(t)
	w.grow(t, 172)
	w.sign(t)
	honest := w.publish(t, 303)
	signer, key := realSigner(t, "domicile/ie1", seed(1))
	if got := w.l.Keys().LogKey(); got != key {
		t.Fatalf("log key %s, want %s", got, key)
	}
	holds(t, honest.fetch, key, earlier)

	t.Run("a bit of any hash, commitment or length in any file", func(t *testing.T) {
		for name, b := range honest {
			step := 32
			if strings.Contains(name, "entries") {
				step = 34
			}
			for at := 0; name != "checkpoint" && at < len(b); at += step {
				for _, i := range []int{at, at + 1 + (at/step)%(step-1)} {
					p := maps.Clone(honest)
					p[name] = bytes.Clone(b)
					p[name][i] ^= 1 << (i % 8)
					detected(t, fmt.Sprintf("%s byte %d", name, i), p, key, earlier)
				}
			}
		}
	})
	t.Run("a bit of the checkpoint", func(t *testing.T) {
		for i := range honest["checkpoint"] {
			p := maps.Clone(honest)
			p["checkpoint"] = bytes.Clone(honest["checkpoint"])
			p["checkpoint"][i] ^= 1 << (i % 7)
			if n, err := note.Open(p["checkpoint"], verifiers(t, key)); err == nil && strings.HasPrefix(string(honest["checkpoint"]), n.Text) {
				continue // spare bits at the end of base64: the same signature over the same text
			}
			detected(t, fmt.Sprintf("checkpoint byte %d", i), p, key, earlier)
		}
	})
	t.Run("files missing, cut, longer or swapped", func(t *testing.T) {
		names := slices.Sorted(maps.Keys(honest))
		for i, name := range names {
			p := maps.Clone(honest)
			delete(p, name)
			detected(t, name+" missing", p, key, earlier)
			p[name] = honest[name][:len(honest[name])-1]
			detected(t, name+" cut", p, key, earlier)
			p[name] = append(bytes.Clone(honest[name]), 0)
			detected(t, name+" longer", p, key, earlier)
			p[name] = honest[names[(i+1)%len(names)]]
			detected(t, name+" swapped", p, key, earlier)
		}
	})

	commitments := w.commitments(t, 303)
	resigned := func(name string, cs [][]byte) {
		t.Run("signed again with the real key: "+name, func(t *testing.T) {
			detected(t, name, forge(signer, cs), key, earlier)
		})
	}
	if f := forge(signer, commitments); !bytes.Equal(f["checkpoint"], honest["checkpoint"]) {
		t.Fatalf("the forger's own log of the same leaves differs:\n%s\n%s", f["checkpoint"], honest["checkpoint"])
	}
	other := bytes.Repeat([]byte{7}, 32)
	for i := range 131 { // every place before the earlier checkpoint
		with := slices.Clone(commitments)
		with[i] = other
		resigned(fmt.Sprintf("leaf %d replaced", i), with)
		resigned(fmt.Sprintf("leaf %d removed", i), slices.Delete(slices.Clone(commitments), i, i+1))
		resigned(fmt.Sprintf("leaf inserted at %d", i), slices.Insert(slices.Clone(commitments), i, other))
		swapped := slices.Clone(commitments)
		swapped[i], swapped[(i+1)%303] = swapped[(i+1)%303], swapped[i]
		resigned(fmt.Sprintf("leaves %d and next swapped", i), swapped)
	}
	resigned("first and last swapped", append(append([][]byte{commitments[302]}, commitments[1:302]...), commitments[0]))
	for _, n := range []int{0, 1, 64, 128, 130} {
		resigned(fmt.Sprintf("truncated to %d", n), commitments[:n])
		fork := slices.Clone(commitments[:n])
		for len(fork) < 131 {
			fork = append(fork, other)
		}
		resigned(fmt.Sprintf("fork from %d, same size as the earlier checkpoint", n), fork)
		for len(fork) < 400 {
			fork = append(fork, other)
		}
		resigned(fmt.Sprintf("fork from %d, grown beyond", n), fork)
	}
	reversed := slices.Clone(commitments)
	slices.Reverse(reversed)
	resigned("all in reverse", reversed)
}

func verifiers(t testing.TB, key string) note.Verifiers {
	t.Helper()
	v, err := note.NewVerifier(key)
	if err != nil {
		t.Fatal(err)
	}
	return note.VerifierList(v)
}

func (w *world) commitments(t testing.TB, size int) (out [][]byte) {
	t.Helper()
	for n := 0; n < size; n += 256 {
		b, err := w.fetch(context.Background(), path(tlog.Tile{H: 8, L: -1, N: int64(n / 256), W: min(256, size-n)}))
		if err != nil {
			t.Fatal(err)
		}
		for ; len(b) > 0; b = b[34:] {
			out = append(out, b[2:34])
		}
	}
	return out
}

// proven verifies a shown entry with crypto/sha256, tlog and note alone.
func proven(v ledger.EntryView, key string) error {
	var compact bytes.Buffer // the entries of these tests are canonical once the white space is out
	hash := func(nonce []byte, entry json.RawMessage) tlog.Hash {
		compact.Reset()
		_ = json.Compact(&compact, entry)
		c := sha256.Sum256(append(bytes.Clone(nonce), compact.Bytes()...))
		return tlog.RecordHash(c[:])
	}
	leaf := hash(v.Nonce, v.Entry)
	if v.Sub != nil {
		var group struct {
			Sub struct {
				Count int64
				Root  tlog.Hash
			}
		}
		if err := json.Unmarshal(v.Sub.LeafEntry, &group); err != nil {
			return err
		}
		if err := tlog.CheckRecord(v.Sub.Path, group.Sub.Count, group.Sub.Root, int64(v.Sub.Ordinal-1), leaf); err != nil {
			return err
		}
		leaf = hash(v.Sub.LeafNonce, v.Sub.LeafEntry)
	}
	if v.Checkpoint == nil {
		return fmt.Errorf("no checkpoint")
	}
	tree, err := (auditor{key: key}).open([]byte(*v.Checkpoint))
	if err != nil {
		return err
	}
	return tlog.CheckRecord(v.Proof, tree.N, tree.Hash, v.Index, leaf)
}

func TestEveryEntryIsProvenAndEveryChangeOfItIsSeen(t *testing.T) {
	w := newWorld(t)
	refs := w.grow(t, 40)
	w.sign(t)
	key := w.l.Keys().LogKey()
	verifier, err := ledger.NewVerifier(key)
	if err != nil {
		t.Fatal(err)
	}
	for n, r := range refs {
		v := w.view(t, r)
		if err := proven(v, key); err != nil {
			t.Fatalf("entry %d, standard tools: %v", n, err)
		}
		if _, defects := ledger.VerifyEntry(v, verifier); len(defects) > 0 {
			t.Fatalf("entry %d: %v", n, defects)
		}
		wrong := func(what string, alter func(v *ledger.EntryView)) {
			x := again(t, v)
			alter(&x)
			if proven(x, key) == nil {
				t.Errorf("entry %d, %s: standard tools see nothing", n, what)
			}
			if _, defects := ledger.VerifyEntry(x, verifier); len(defects) == 0 {
				t.Errorf("entry %d, %s: VerifyEntry sees nothing", n, what)
			}
		}
		wrong("another count of records", func(v *ledger.EntryView) {
			v.Entry = bytes.Replace(v.Entry, []byte(`"records":`), []byte(`"records":1`), 1)
			v.Entry = bytes.Replace(v.Entry, []byte(`"records": `), []byte(`"records": 1`), 1)
		})
		for i := range nonceSize(v) {
			wrong("nonce", func(v *ledger.EntryView) { v.Nonce[i] ^= 0x10 })
		}
		wrong("another index", func(v *ledger.EntryView) { v.Index ^= 1 })
		wrong("no inclusion", func(v *ledger.EntryView) { v.Proof = v.Proof[1:] })
		for i := range v.Proof {
			wrong("inclusion", func(v *ledger.EntryView) { v.Proof[i][i] ^= 1 })
		}
		if v.Sub != nil {
			wrong("another ordinal", func(v *ledger.EntryView) { v.Sub.Ordinal ^= 1 })
			wrong("leaf nonce", func(v *ledger.EntryView) { v.Sub.LeafNonce[31] ^= 1 })
			wrong("leaf entry shown as the entry", func(v *ledger.EntryView) { v.Entry, v.Nonce = v.Sub.LeafEntry, v.Sub.LeafNonce })
			for i := range v.Sub.Path {
				wrong("path", func(v *ledger.EntryView) { v.Sub.Path[i][0] ^= 1 })
			}
		}
	}
	// What only VerifyEntry can see: a true entry passed off as another one.
	v := w.view(t, refs[0])
	v.ID = refs[1].Entry.String()
	if _, defects := ledger.VerifyEntry(v, verifier); len(defects) == 0 {
		t.Error("an entry shown under another's id: VerifyEntry sees nothing")
	}
}

func nonceSize(v ledger.EntryView) int { return len(v.Nonce) }

func TestEveryBitFlippedInTheStoreIsSeen(t *testing.T) {
	w := newWorld(t)
	refs := w.grow(t, 7)
	earlier := w.sign(t)
	refs = append(refs, w.grow(t, 10)...)
	w.sign(t)
	key := w.l.Keys().LogKey()
	seen := func(leaf int) bool { // of a private column; below 0: of a public one
		if leaf < 0 && (auditor{key: key, fetch: w.fetch}).audit(earlier) != nil {
			return true
		}
		for _, r := range refs { // whoever was given an entry asks to see it again
			if leaf >= 0 && r.Index != int64(leaf) {
				continue
			}
			err := w.db.View(context.Background(), func(tx store.Tx) error {
				v, err := w.l.Entry(tx, r.Entry)
				if err != nil {
					return err
				}
				return proven(v, key)
			})
			if err != nil {
				return true
			}
		}
		return false
	}
	if seen(-1) {
		t.Fatal("something is seen in an honest store")
	}
	for _, column := range []string{"ledger_hash.commitment", "ledger_hash.hashes", "ledger_entry.nonce", "ledger_entry.entry", "ledger_entry.subs"} {
		table, column, _ := strings.Cut(column, ".")
		for leaf := range 17 {
			b, look := w.cell(t, table, column, leaf), leaf
			if table == "ledger_hash" {
				look = -1
			}
			for i := leaf % 9; i < len(b); i += 9 {
				bad := bytes.Clone(b)
				bad[i] ^= 1 << (i % 8)
				w.exec(t, "UPDATE "+table+" SET "+column+" = $1 WHERE leaf = $2", bad, leaf)
				if !seen(look) {
					t.Errorf("%s.%s of leaf %d, byte %d: nobody sees it", table, column, leaf, i)
				}
			}
			w.exec(t, "UPDATE "+table+" SET "+column+" = $1 WHERE leaf = $2", b, leaf)
		}
	}
	if seen(-1) {
		t.Fatal("the test did not put everything back")
	}
}

// cell returns a value as it is stored; nil for NULL, which has no bits.
func (w *world) cell(t testing.TB, table, column string, leaf int) (b []byte) {
	t.Helper()
	err := w.db.View(context.Background(), func(tx store.Tx) error {
		return tx.(sqlstore.Conn).Query("SELECT "+column+" FROM "+table+" WHERE leaf = $1", func(r sqlstore.Row) error {
			b = r.Bytes(0)
			return nil
		}, leaf)
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestALedgerThatDoesNotExtendWhatWasSignedIsNotSigned(t *testing.T) {
	for name, sql := range map[string]string{
		"a changed leaf hash":    `UPDATE ledger_hash SET hashes = zeroblob(length(hashes)) WHERE leaf = 15`,
		"a lost leaf":            `DELETE FROM ledger_hash WHERE leaf = 15`,
		"a checkpoint set back":  `DELETE FROM ledger_checkpoint`,
		"a changed checkpoint":   `UPDATE ledger_checkpoint SET size = 3, note = 'domicile/ie1'`,
		"a rewritten right edge": `UPDATE ledger_hash SET hashes = randomblob(length(hashes)) WHERE leaf = 19`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.grow(t, 20)
			before := w.sign(t)
			w.exec(t, sql)
			_, appendErr := w.tryAppend(draft("collect", "acme", 1))
			grown, err := w.l.Sign(context.Background())
			if name == "a checkpoint set back" { // what was signed is known in memory: the log goes on from it
				if err != nil || !grown {
					t.Errorf("Sign: %v, %v", grown, err)
				}
				holds(t, w.fetch, w.l.Keys().LogKey(), before)
				return
			}
			if err == nil && appendErr == nil {
				t.Errorf("Sign signed a log that was tampered with")
			}
		})
	}
}
