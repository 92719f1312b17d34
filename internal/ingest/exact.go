package ingest

import (
	"bytes"
	"strconv"
)

// maxPlaceBytes is the longest text that is looked at as one place.
const maxPlaceBytes = 256

// exact says whether a value under a name of that kind is a place with more than maxDecimals.
func exact(kind placeKind, v []byte, text bool) bool {
	if len(v) > maxPlaceBytes {
		v = v[:maxPlaceBytes]
	}
	v = bytes.TrimSpace(v)
	if kind == geohash { // five letters are 4.9 km, six 1.2 by 0.6 km
		return text && len(v) > 5 && isGeohash(v)
	}
	if decimals, _, ok := degrees(v); ok {
		return kind != bothAxes && decimals > maxDecimals
	}
	if !text {
		return false
	}
	if bytes.Contains(v, []byte("°")) && bytes.ContainsAny(v, "'\"′″’”") {
		return true // degrees and minutes
	}
	pair := newPair()
	for _, word := range bytes.FieldsFunc(v, func(r rune) bool {
		return r == ',' || r == ';' || r == ' ' || r == '(' || r == ')' || r == '[' || r == ']' || r == '|' || r == '/' || r == ':' || r == '?' || r == '='
	}) {
		pair.add(word)
	}
	return pair.exact()
}

// pair finds a place in the numbers of a text or list.
type pair struct {
	numbers int // in a row that can be degrees
	most    int // decimals of those
	found   bool
}

func newPair() *pair { return &pair{} }

// add takes the next word.
func (p *pair) add(word []byte) {
	decimals, whole, ok := degrees(word)
	if !ok || whole > 180 {
		p.numbers, p.most = 0, 0
		return
	}
	p.numbers++
	p.most = max(p.most, decimals)
	p.found = p.found || p.numbers >= 2 && p.most > maxDecimals
}

func (p *pair) exact() bool { return p.found }

// degrees reads a decimal number: how many decimals it was written with, and its whole part. Whole
// numbers beyond 180, as they come where degrees are scaled, have decimals that the point hides.
func degrees(v []byte) (decimals, whole int, ok bool) {
	if len(v) > 0 && (v[0] == '-' || v[0] == '+') {
		v = v[1:]
	}
	i := 0
	for i < len(v) && v[i] >= '0' && v[i] <= '9' {
		if whole < 1<<40 {
			whole = whole*10 + int(v[i]-'0')
		}
		i++
	}
	digits := i
	if i < len(v) && v[i] == '.' {
		for i++; i < len(v) && v[i] >= '0' && v[i] <= '9'; i++ {
			decimals++
		}
	}
	if digits+decimals == 0 {
		return 0, 0, false
	}
	if i < len(v) && v[i]|0x20 == 'e' {
		exponent, err := strconv.Atoi(string(v[i+1:]))
		if err != nil || exponent > 30 || exponent < -30 {
			return 0, 0, false
		}
		if decimals -= exponent; exponent > 0 {
			for range exponent {
				whole = min(whole*10, 1<<40)
			}
		}
		i = len(v)
	}
	if i < len(v) {
		return 0, 0, false
	}
	if decimals = max(decimals, 0); decimals == 0 && whole > 180 {
		decimals = maxDecimals + 1
	}
	return decimals, whole, true
}

func isGeohash(v []byte) bool {
	for _, c := range bytes.ToLower(v) {
		if (c < '0' || c > '9') && (c < 'b' || c > 'z' || c == 'i' || c == 'l' || c == 'o') {
			return false
		}
	}
	return len(v) <= 12
}
