package ledger

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"domicile.dev/internal/id"
	"golang.org/x/mod/sumdb/tlog"
)

func TestCanonical(t *testing.T) {
	for in, want := range map[string]string{
		` { "b" : 1 , "a" : [ true , null , "x" ] } `: `{"a":[true,null,"x"],"b":1}`,
		`{"a!":1,"a":2,"A":3}`:                        `{"A":3,"a":2,"a!":1}`,
		`"\u00e9\u003c\/\"\\\ud83d\ude00"`:            `"é</\"\\😀"`,
		`{}`:                                          `{}`,
		`[]`:                                          `[]`,
		`-9007199254740991`:                           `-9007199254740991`,
		`0`:                                           `0`,
		// refused
		`{"a":1,"a":2}`: "", `{"a":1,"\u0061":2}`: "", `1.0`: "", `1e3`: "", `-0`: "", `01`: "", `9007199254740992`: "", `"\n"`: "", `"\u007f"`: "",
		"\"\x7f\"": "", "\"\xff\"": "", `"\ud800"`: "", `{"é":1}`: "", `{"a\"":1}`: "", `{} {}`: "", `{"a":1,}`: "", `[1,]`: "", `tru`: "", ``: "", `"`: "", `"\`: "",
		`[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]`: "", `--1`: "", `{"a"}`: "", `{1:2}`: "", `[1 2]`: "",
	} {
		got, err := Canonical(nil, []byte(in))
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("Canonical(%s) = %s, %v; want %s", in, got, err, want)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{`{"b":1,"a":["x",{"z":null}]}`, `"\u00e9\"\\"`, `{"a":1,"a":2}`, `[-1,9007199254740991]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		out, err := Canonical(nil, in)
		if err != nil {
			if out != nil {
				t.Errorf("an error with %q", out)
			}
			return
		}
		again, err := Canonical(nil, out)
		if err != nil || !bytes.Equal(again, out) {
			t.Errorf("%q, a second time %q, %v", out, again, err)
		}
		if !json.Valid(in) {
			t.Fatalf("%q is no JSON, and was taken", in)
		}
		var a, b any
		if json.Unmarshal(in, &a) != nil || json.Unmarshal(out, &b) != nil || !reflect.DeepEqual(a, b) {
			t.Errorf("%q means another thing than %q", out, in)
		}
	})
}

func FuzzAddCheckpoint(f *testing.F) {
	f.Add([]byte("old 0\n\ndomicile/ie1\n1\nAAAA\n\n— x y\n"))
	f.Add([]byte("old 20\nPlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n\nx"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := parseAddCheckpoint(in)
		if err == nil && !bytes.Equal(r.format(), in) {
			t.Errorf("%q becomes %q", in, r.format())
		}
	})
}

func FuzzCheckpoint(f *testing.F) {
	f.Add("domicile/ie1\n42\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n")
	f.Fuzz(func(t *testing.T, in string) {
		c, err := ParseCheckpoint(in)
		if err == nil && c.String() != in {
			t.Errorf("%q becomes %q", in, c.String())
		}
	})
}

func FuzzTilePath(f *testing.F) {
	for _, s := range []string{"tile/0/000", "tile/3/x001/234.p/7", "tile/entries/x001/x234/067", "tile/data/000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		tile, ok := parseTile(in)
		if !ok {
			return
		}
		if tilePath(tile) != in {
			t.Errorf("%q becomes %q", in, tilePath(tile))
		}
		if within(tile, 1<<40) && (tile.N < 0 || tile.N > 1<<40 || tile.W < 1 || tile.W > 256) {
			t.Errorf("%q: %+v is within a tree", in, tile)
		}
	})
}

// Nothing that a stranger sends in place of an entry is believed, and none of it panics.
func FuzzVerifyEntry(f *testing.F) {
	keys, err := NewKeys("domicile/ie1", make([]byte, 32))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"id":"led_aaaaaaaaaaaaaaaaaaaa","index":0,"entry":{"v":1,"sub":{"count":2,"root":"AAAA"}},"nonce":"AA==","sub":{"ordinal":1},"proof":[],"checkpoint":"domicile/ie1\n1\n\n"}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		var v EntryView
		if json.Unmarshal(in, &v) != nil {
			return
		}
		if _, defects := VerifyEntry(v, keys.logOpen); len(defects) == 0 {
			t.Errorf("%q is believed without a signature", in)
		}
	})
}

func FuzzVerifierKey(f *testing.F) {
	f.Add("domicile/us1/witness+13fd7e8a+BEhp")
	f.Fuzz(func(t *testing.T, in string) {
		if v, err := NewVerifier(in); err == nil && (v.Name() == "" || v.Verify([]byte("x"), nil)) {
			t.Errorf("%q is a key without a name, or takes no signature for one", in)
		}
	})
}

func TestIDsNameTheirPlace(t *testing.T) {
	for _, leaf := range []int64{0, 1, 255, 1 << 31, 1<<48 - 1} {
		for _, ordinal := range []int{0, 1, maxSubs} {
			e := newID(leaf, ordinal, []byte{1, 2, 3, 4})
			if p, err := id.ParseEntry(e.String()); err != nil || p != e {
				t.Errorf("%s: %v", e, err)
			}
			if l, o := place(e); l != leaf || o != ordinal {
				t.Errorf("place(%s) = %d, %d; want %d, %d", e, l, o, leaf, ordinal)
			}
		}
	}
}

func TestEdgeIsWhatTlogStores(t *testing.T) {
	var e edge
	var stored []tlog.Hash
	r := tlog.HashReaderFunc(func(indexes []int64) (out []tlog.Hash, err error) {
		for _, x := range indexes {
			out = append(out, stored[x])
		}
		return out, nil
	})
	for n := range int64(600) {
		root, err := tlog.TreeHash(n, r)
		if err != nil || root != e.root() {
			t.Fatalf("root of %d leaves %s, want %s", n, e.root(), root)
		}
		leaf := tlog.RecordHash([]byte{byte(n), byte(n >> 8)})
		want, err := tlog.StoredHashesForRecordHash(n, leaf, r)
		if err != nil {
			t.Fatal(err)
		}
		var flat []byte
		for _, h := range want {
			flat = append(flat, h[:]...)
		}
		if got := e.add(nil, leaf); !bytes.Equal(got, flat) {
			t.Fatalf("leaf %d stores %x, want %x", n, got, flat)
		}
		stored = append(stored, want...)
	}
}

func TestGroupsOfOneKindAreCut(t *testing.T) {
	groups := grouped(make([]Draft, 2*maxSubs+1))
	if len(groups) != 3 || len(groups[0]) != maxSubs || len(groups[2]) != 1 {
		t.Errorf("%d groups", len(groups))
	}
}
