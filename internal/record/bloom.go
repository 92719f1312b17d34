package record

import (
	"encoding/binary"
	"slices"
)

// A filter says of a key that it is certainly not in a run. It has pieces, each a Bloom filter of
// its own over all keys, so that a large run's filter can be kept in part: one piece lets 9 % of
// foreign keys through, two 0.8 %, three 0.08 %.
//
// A piece is lines of 64 bytes; a key has three bits in one line. Format: docs/formats/run.md.
type filter struct {
	lines  int
	pieces [][]uint64 // 8 words to a line; fewer than were stored when memory is short
}

const (
	bitsPerKey  = 5 // in each piece
	lineWords   = 8
	clientParts = 3 // pieces of a ByClient run: asked about each new record
	subjectPart = 2 // pieces of a BySubject run: asked about each read
	foldable    = 64
)

// piecesOf returns how many pieces a filter has at most.
func piecesOf(f Family) int {
	if f == ByClient {
		return clientParts
	}
	return subjectPart
}

// linesFor returns how many lines a piece needs for at most keys keys, so that it can be folded.
func linesFor(keys uint64) int {
	lines := max(1, (int(keys)*bitsPerKey+lineWords*64-1)/(lineWords*64))
	if lines > foldable {
		lines = (lines + foldable - 1) / foldable * foldable
	}
	return lines
}

// piecesIn returns how many pieces a run of keys keys is written with: what a node with so many bytes
// for filters would not keep isn't built.
func piecesIn(bytes int64, f Family, keys uint64) int {
	return max(1, min(piecesOf(f), int(bytes/(int64(linesFor(keys))*lineWords*8))))
}

// newFilter returns an empty filter for at most keys keys. It can be folded later.
func newFilter(keys uint64, pieces int) *filter {
	f := &filter{lines: linesFor(keys)}
	for range pieces {
		f.pieces = append(f.pieces, make([]uint64, f.lines*lineWords))
	}
	return f
}

// mix is the finalizer of splitmix64.
func mix(h uint64) uint64 {
	h ^= h >> 30
	h *= 0xbf58476d1ce4e5b9
	h ^= h >> 27
	h *= 0x94d049bb133111eb
	return h ^ h>>31
}

// at returns the first word of a probe's line, the same in all pieces.
func (f *filter) at(p probe) int {
	return int(uint64(p.line)*uint64(f.lines)>>32) * lineWords
}

// bits returns the hash that piece n takes its bits from: three times 9.
func (p probe) bits(n int) uint64 {
	if n == 0 {
		return p.hash
	}
	return mix(p.hash + uint64(n)*0x9e3779b97f4a7c15)
}

func (f *filter) add(p probe) {
	at := f.at(p)
	for n, words := range f.pieces {
		h, l := p.bits(n), words[at:][:lineWords]
		l[h>>6&7] |= 1 << (h & 63)
		l[h>>15&7] |= 1 << (h >> 9 & 63)
		l[h>>24&7] |= 1 << (h >> 18 & 63)
	}
}

// has is false when the key is certainly not there. A filter without pieces knows nothing.
func (f *filter) has(p probe) bool {
	at := f.at(p)
	for n, words := range f.pieces {
		h, l := p.bits(n), words[at:][:lineWords]
		if l[h>>6&7]>>(h&63)&(l[h>>15&7]>>(h>>9&63))&(l[h>>24&7]>>(h>>18&63))&1 == 0 {
			return false
		}
	}
	return true
}

// fold halves the filter while it is more than twice as large as keys keys need. A line's number is
// the high part of a product, so that neighbours fall together when the number of lines is halved.
func (f *filter) fold(keys uint64) {
	need := max(1, (int(keys)*bitsPerKey+lineWords*64-1)/(lineWords*64))
	for f.lines%2 == 0 && f.lines/2 >= need {
		f.lines /= 2
		for p, words := range f.pieces {
			for line := range f.lines {
				for w := range lineWords {
					words[line*lineWords+w] = words[2*line*lineWords+w] | words[(2*line+1)*lineWords+w]
				}
			}
			f.pieces[p] = slices.Clone(words[:f.lines*lineWords])
		}
	}
}

func (f *filter) bytes() int64 { return int64(f.lines) * lineWords * 8 * int64(len(f.pieces)) }

// pieceBytes is the length of one piece as it is stored.
func (f *filter) pieceBytes() int { return f.lines * lineWords * 8 }

// encodeWords returns words in little-endian order.
func encodeWords(words []uint64) []byte {
	b := make([]byte, 0, len(words)*8)
	for _, w := range words {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}

// decodePiece fills words from b, which starts at byte at of the piece.
func decodePiece(words []uint64, at int, b []byte) bool {
	if at%8 != 0 || len(b)%8 != 0 || at+len(b) > len(words)*8 {
		return false
	}
	for i := 0; i < len(b); i += 8 {
		words[(at+i)/8] = binary.LittleEndian.Uint64(b[i:])
	}
	return true
}
