package e2e

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A needle is one form in which a canary would betray itself.
type needle struct {
	text        []byte
	canary, how string
}

// A haystack finds many needles in one pass: the first window bytes of every needle are hashed
// into a bitmap, and only where it has a bit are the candidates compared.
type haystack struct {
	bits [1 << 15]uint64
	by   map[uint64][]needle
}

const (
	window    = 8  // no needle is shorter
	digestLen = 10 // a digest counts as found by its first bytes, so that a truncated one is found too
)

func slot(w uint64) uint64 { return w * 0x9e3779b97f4a7c15 >> 43 } // 21 bits: a bit of the bitmap

func newHaystack(canaries []canary) *haystack {
	h := &haystack{by: map[uint64][]needle{}}
	for _, c := range canaries {
		for _, n := range needles(c) {
			w := binary.LittleEndian.Uint64(n.text)
			if slices.ContainsFunc(h.by[w], func(o needle) bool { return bytes.Equal(o.text, n.text) }) {
				continue
			}
			h.by[w] = append(h.by[w], n)
			s := slot(w)
			h.bits[s>>6] |= 1 << (s & 63)
		}
	}
	return h
}

// needles are c's value raw, in hex, base64 and URL encoding, as a JSON string escapes it, and
// its plain digests in each of these.
func needles(c canary) []needle {
	v := []byte(c.value)
	all := forms(v, len(v), c.where, "")
	for _, text := range []string{url.QueryEscape(c.value), url.PathEscape(c.value)} {
		all = append(all, needle{[]byte(text), c.where, "URL encoding"}, needle{lowerEscapes(text), c.where, "URL encoding"})
	}
	if text := strconv.QuoteToASCII(c.value); len(text) > 2 {
		all = append(all, needle{[]byte(text[1 : len(text)-1]), c.where, "escapes"})
	}
	s256, s1, m := sha256.Sum256(v), sha1.Sum(v), md5.Sum(v)
	all = append(all, forms(s256[:], digestLen, c.where, "SHA-256, ")...)
	all = append(all, forms(s1[:], digestLen, c.where, "SHA-1, ")...)
	all = append(all, forms(m[:], digestLen, c.where, "MD5, ")...)
	return slices.DeleteFunc(all, func(n needle) bool { return len(n.text) < window })
}

// forms encodes the first n bytes of v.
func forms(v []byte, n int, where, of string) []needle {
	v = v[:n]
	all := []needle{
		{v, where, of + "raw"},
		{[]byte(hex.EncodeToString(v)), where, of + "hex"},
		{[]byte(strings.ToUpper(hex.EncodeToString(v))), where, of + "hex"},
	}
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 { // how v may lie in what was encoded as a whole
			padded := append(make([]byte, before), v...)
			text := enc.EncodeToString(padded)
			from := (before*8 + 5) / 6 // first character that depends on v alone
			to := len(padded) * 8 / 6  // and the last
			all = append(all, needle{[]byte(text[from:to]), where, of + "base64"})
		}
	}
	return all
}

// lowerEscapes writes %2F as %2f and leaves the rest.
func lowerEscapes(s string) []byte {
	b := []byte(s)
	for i := range b {
		if b[i] == '%' && i+2 < len(b) {
			copy(b[i+1:i+3], bytes.ToLower(b[i+1:i+3]))
		}
	}
	return b
}

// find calls each for every needle in b.
func (h *haystack) find(b []byte, each func(n needle, at int)) {
	for i := 0; i+window <= len(b); i++ {
		w := binary.LittleEndian.Uint64(b[i:])
		s := slot(w)
		if h.bits[s>>6]&(1<<(s&63)) == 0 {
			continue
		}
		for _, n := range h.by[w] {
			if bytes.HasPrefix(b[i:], n.text) {
				each(n, i)
			}
		}
	}
}

// A sighting is a needle and where it was seen.
type sighting struct{ place, canary, how string }

func (s sighting) String() string {
	return fmt.Sprintf("canary of %s (%s) is in %s", s.canary, s.how, s.place)
}

// sightings collects one of each kind, so that a leak reads as a list of causes.
type sightings map[sighting]int

func (h *haystack) inBytes(found sightings, place string, b []byte) {
	h.find(b, func(n needle, at int) { found[sighting{place, n.canary, n.how}]++ })
}

// inTree searches every file below root, and the file names. It says how many bytes it read.
func (h *haystack) inTree(t testing.TB, found sightings, root string) (read int64) {
	t.Helper()
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil // servers remove files as they go
		} else if err != nil {
			return err
		}
		place, _ := filepath.Rel(filepath.Dir(root), name)
		h.inBytes(found, "the file name "+place, []byte(place))
		if !d.Type().IsRegular() {
			return nil
		}
		b, err := os.ReadFile(name)
		if os.IsNotExist(err) {
			return nil
		} else if err != nil {
			return err
		}
		read += int64(len(b))
		h.inBytes(found, place, b)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// report fails t with what was found, at most a screenful.
func (s sightings) report(t testing.TB) {
	t.Helper()
	var lines []string
	for f, n := range s {
		lines = append(lines, fmt.Sprintf("%s, %d times", f, n))
	}
	slices.Sort(lines)
	for i, l := range lines {
		if i == 40 {
			t.Errorf("… and %d more", len(lines)-i)
			break
		}
		t.Error(l)
	}
}

// TestTheSearchCanFail plants a canary in every form, at every base64 alignment, in a file full
// of noise, and wants each found; and finds nothing in noise alone.
func TestTheSearchCanFail(t *testing.T) {
	cs := newCanaries()
	value := cs.text("planted") + "/é@x"
	planted := canary{where: "planted too", value: value}
	h := newHaystack(append(cs.list, planted))
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rand.Uint32())
		}
		return b
	}
	hidden := map[string][]byte{"raw": []byte(value), "hex": []byte(hex.EncodeToString([]byte(value))),
		"URL encoding": []byte(url.QueryEscape(value)), "escapes": []byte(strings.Trim(strconv.QuoteToASCII(value), `"`))}
	digests := map[string][]byte{}
	for name, d := range map[string][]byte{"SHA-256": sum256(value), "SHA-1": sum1(value), "MD5": sumMD5(value)} {
		digests[name+", raw"] = d
		digests[name+", hex"] = []byte(strings.ToUpper(hex.EncodeToString(d)))
		digests[name+", base64"] = []byte(base64.URLEncoding.EncodeToString(d))
	}
	for before := range 3 {
		whole := append(noise(before+6), value...)
		hidden[fmt.Sprintf("base64 at %d", before)] = []byte(base64.StdEncoding.EncodeToString(append(whole, noise(9)...)))
	}
	for name, b := range digests {
		hidden[name] = b
	}
	for name, b := range hidden {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			text := slices.Concat(noise(rand.IntN(9000)), b, noise(rand.IntN(9000)))
			if err := os.WriteFile(filepath.Join(dir, "x"), text, 0o600); err != nil {
				t.Fatal(err)
			}
			found := sightings{}
			h.inTree(t, found, dir)
			how, _, _ := strings.Cut(name, " at ")
			if !slices.ContainsFunc(found.all(), func(s sighting) bool { return s.canary == planted.where && s.how == how }) {
				t.Errorf("the planted canary was not found; found %v", found)
			}
		})
	}
	t.Run("in a file name", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, cs.list[0].value), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		found := sightings{}
		if h.inTree(t, found, dir); len(found) == 0 {
			t.Error("a canary in a file name was not found")
		}
	})
	t.Run("not in noise", func(t *testing.T) {
		found := sightings{}
		if h.inBytes(found, "noise", noise(4<<20)); len(found) > 0 {
			t.Errorf("found in noise: %v", found)
		}
	})
}

func (s sightings) all() (list []sighting) {
	for f := range s {
		list = append(list, f)
	}
	return list
}

func sum256(s string) []byte { d := sha256.Sum256([]byte(s)); return d[:] }
func sum1(s string) []byte   { d := sha1.Sum([]byte(s)); return d[:] }
func sumMD5(s string) []byte { d := md5.Sum([]byte(s)); return d[:] }
