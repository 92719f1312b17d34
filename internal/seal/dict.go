package seal

import (
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"strings"
)

// Dictionaries are fixed for ever once released: parts packed with one need the very same bytes.
// A better one gets the next number, its own codec and its own file beside this.
//
//go:embed dict/1.txt
var dict1Text string

var dict1 = newDictionary(dict1Text)

const (
	hashBits   = 13
	filterBits = 16
	chainMax   = 4  // how many candidates one search looks at
	longEnough = 32 // a match beyond which no longer one is looked for
	padding    = 8  // zero bytes after a text, so that eight can be loaded anywhere in it
)

// dictionary is a static text and where its sequences stand: every place of each eight bytes, the
// first place of each five. Positions are kept plus one; zero ends a chain. It is immutable.
type dictionary struct {
	text   []byte // with padding
	size   int    // without
	filter [1 << (filterBits - 6)]uint64
	head8  [1 << hashBits]uint16
	next8  []uint16
	head5  [1 << hashBits]uint16
	next5  []uint16
}

// newDictionary joins the lines of file, in which \xHH stands for a byte, and indexes the text.
// The earliest place comes first, so a file begins with what is commonest.
func newDictionary(file string) *dictionary {
	text := []byte(unescape(strings.ReplaceAll(file, "\n", "")))
	d := &dictionary{size: len(text), text: append(text, make([]byte, padding)...)}
	if d.size > 0xffff {
		panic("seal: a dictionary is at most 65535 bytes")
	}
	d.next8, d.next5 = make([]uint16, d.size), make([]uint16, d.size)
	first := map[uint64]int{}
	for i := d.size - 5; i >= 0; i-- {
		w := binary.LittleEndian.Uint64(d.text[i:])
		first[w<<24] = i
		if i+8 <= d.size {
			h := hash8(w) >> (32 - hashBits)
			d.next8[i], d.head8[h] = d.head8[h], uint16(i+1)
		}
	}
	for i := d.size - 5; i >= 0; i-- {
		w := binary.LittleEndian.Uint64(d.text[i:])
		if first[w<<24] != i {
			continue
		}
		h := hash5(w)
		d.filter[h>>(32-filterBits+6)] |= 1 << (h >> (32 - filterBits) & 63)
		h >>= 32 - hashBits
		d.next5[i], d.head5[h] = d.head5[h], uint16(i+1)
	}
	return d
}

// find returns the longest match of s, whose first bytes are w and hash to h5, among the first
// candidates; of equals the one near the cursor, which is cheaper to name.
func (d *dictionary) find(w uint64, h5 uint32, s []byte, cursor int) (off, length int) {
	if d.filter[h5>>(32-filterBits+6)]>>(h5>>(32-filterBits)&63)&1 == 0 {
		return 0, 0
	}
	best := 0
	n := len(s)
	at := d.head8[hash8(w)>>(32-hashBits)]
	for range chainMax {
		if at == 0 {
			break
		}
		j := int(at - 1)
		at = d.next8[j]
		if binary.LittleEndian.Uint64(d.text[j:]) != w {
			continue
		}
		if length > 0 && (length == n || d.text[j+length] != s[length]) {
			continue // it ends earlier than the best one
		}
		l := match(d.text[j:d.size], s)
		score := 2 * l
		if near(j, cursor) {
			score += 3
		}
		if score > best {
			best, off, length = score, j, l
			if l >= longEnough {
				break
			}
		}
	}
	if best > 0 {
		return off, length
	}
	at = d.head5[h5>>(32-hashBits)]
	for range chainMax {
		if at == 0 {
			break
		}
		j := int(at - 1)
		at = d.next5[j]
		if x := binary.LittleEndian.Uint64(d.text[j:]) ^ w; x<<24 == 0 {
			return j, min(bits.TrailingZeros64(x|1<<63)>>3, len(s), d.size-j)
		}
	}
	return 0, 0
}

// unescape replaces each \xHH by its byte.
func unescape(s string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, `\x`)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		c, err := hex.DecodeString(after[:2])
		if err != nil {
			panic("seal: dictionary: \\x without two hex digits")
		}
		b.WriteByte(c[0])
		s = after[2:]
	}
}

// hash5 hashes the low five bytes of w.
func hash5(w uint64) uint32 { return uint32((w << 24) * 0x9E3779B185EBCA87 >> 32) }

// hash8 hashes w.
func hash8(w uint64) uint32 { return uint32(w * 0xCF1BBCDCB7A56463 >> 32) }
