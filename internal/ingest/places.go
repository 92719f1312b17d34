package ingest

import (
	"bytes"
	"slices"
	"strings"

	"domicile.dev/internal/scan"
)

// Exact places. Two of the laws that draw a line draw it at a radius: 1,850 feet (564 m) in California
// (Civil Code 1798.140(w)), 1,750 feet (533 m) in Virginia (Code 59.1-575) and the states that follow it.
// Two decimals of a degree of latitude are 1.1 km, and of longitude less, the further from the equator:
// from a latitude of 37 degrees on, what two decimals enclose is smaller than California's circle. One
// decimal, 11 km, encloses more wherever people live. So more than one decimal is exact.
const maxDecimals = 1

// placeKind is what a member's name says of a place.
type placeKind uint8

const (
	noPlace  placeKind = iota
	oneAxis            // latitude or longitude
	maybe              // "long", which is a longitude beside a latitude only
	bothAxes           // in a text or a list
	geohash
)

// placeNames are the last words of names, in lower case.
var placeNames = map[string]placeKind{
	"lat": oneAxis, "latitude": oneAxis, "lng": oneAxis, "lon": oneAxis, "longitude": oneAxis, "long": maybe,
	"latlng": bothAxes, "latlon": bothAxes, "latlong": bothAxes, "lnglat": bothAxes, "lonlat": bothAxes, "coordinates": bothAxes,
	"coordinate": bothAxes, "coords": bothAxes, "coord": bothAxes, "geo": bothAxes, "geolocation": bothAxes, "geopoint": bothAxes,
	"geoposition": bothAxes, "location": bothAxes, "loc": bothAxes, "position": bothAxes, "gps": bothAxes, "point": bothAxes,
	"center": bothAxes, "centre": bothAxes, "centroid": bothAxes, "bbox": bothAxes, "geohash": geohash,
}

// placeTails has a bit for the last three letters of each name above, and spares most other names a
// closer look.
var placeTails = func() (tails [4096]bool) {
	for name := range placeNames {
		tails[tail([]byte(name))] = true
	}
	tails[tail([]byte("geo_hash"))] = true
	return tails
}()

// tail is the bit of a name of three bytes or more.
func tail(name []byte) uint32 {
	n := len(name)
	word := uint32(name[n-3]|0x20)<<16 | uint32(name[n-2]|0x20)<<8 | uint32(name[n-1]|0x20)
	return word * 0x9e3779b1 >> 20
}

// mayBePlace says whether the name of the node is worth a closer look.
func mayBePlace(src []byte, n *scan.Node) bool {
	if n.KeyEscaped {
		return true
	}
	name := src[n.KeyAt:n.KeyEnd]
	if len(name) < 3 {
		return false
	}
	last := name[len(name)-1]
	return placeTails[tail(name)] || last == '6' || last == '7'
}

// placeWord says whether name is one that the rule knows, in one of the usual spellings: paths may
// show it.
func placeWord(name string) bool {
	if placeNames[strings.ToLower(name)] == noPlace {
		return false
	}
	return name == strings.ToLower(name) || name == strings.ToUpper(name) || name[1:] == strings.ToLower(name[1:])
}

// placeOf says what a name says: its last word counts, in snake_case, camelCase or capitals.
func placeOf(name []byte) placeKind {
	if n := len(name); n > 2 && (name[n-1] == '7' || name[n-1] == '6') && name[n-2]|0x20 == 'e' { // latitudeE7: whole numbers
		name = bytes.TrimRight(name[:n-2], "_-")
	}
	from, lower := len(name), false
	for from > 0 && letter(name[from-1]) {
		if from < len(name) && upper(name[from]) && (lower || !upper(name[from-1])) {
			break // a capital begins a word
		}
		from--
		lower = lower || !upper(name[from])
	}
	word := name[from:]
	if len(word) > 12 {
		return noPlace
	}
	var small [12]byte
	for i, c := range word {
		small[i] = c | 0x20
	}
	if string(small[:len(word)]) == "hash" && placeOf(bytes.TrimRight(name[:from], "_-")) == bothAxes {
		return geohash // geo_hash
	}
	return placeNames[string(small[:len(word)])]
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func upper(c byte) bool  { return c >= 'A' && c <= 'Z' }

// places adds to cuts the members below root that hold exact places and whose part may not.
func (b *Batch) places(e *Event, root int, cuts []Cut) []Cut {
	d := &b.Doc
	var axes map[int32]bool // objects by whether they have a latitude or longitude
	for i, end := root+1, int(d.Nodes[root].Next); i < end; i++ {
		n := &d.Nodes[i]
		if n.Dropped {
			i = int(n.Next) - 1
			continue
		}
		if n.Kind == scan.Array {
			if bytes.IndexByte(d.Src[n.At:n.End], '.') < 0 && n.End-n.At < 8 || b.mayHold(e, root, i) {
				continue
			}
			w := placeWalk{b: b, e: e, src: d.Src, at: names(d, root, i), cuts: cuts}
			if w.list(int(n.At), placeOf(d.Key(i)) == bothAxes) {
				w.drop(Cut{int(n.KeyAt) - 1, int(n.End)}, "")
			}
			cuts = w.cuts
			continue
		}
		if n.Kind != scan.Number && n.Kind != scan.String || n.End-n.At < 3 || !mayBePlace(d.Src, n) {
			continue
		}
		kind := placeOf(d.Key(i))
		if kind == noPlace || !exact(kind, b.plain(i), n.Kind == scan.String) || b.mayHold(e, root, i) {
			continue
		}
		if kind == maybe {
			axis, known := axes[n.Parent]
			if !known {
				axis = slices.ContainsFunc(siblings(d, i), func(s int) bool { return placeOf(d.Key(s)) == oneAxis })
				if axes == nil {
					axes = map[int32]bool{}
				}
				axes[n.Parent] = axis
			}
			if !axis {
				continue
			}
		}
		w := placeWalk{b: b, e: e, src: d.Src, at: names(d, root, int(n.Parent)), cuts: cuts}
		gone := []int{i}
		if kind == oneAxis || kind == maybe { // one axis that is exact takes the other with it
			gone = slices.DeleteFunc(siblings(d, i), func(s int) bool {
				of := placeOf(d.Key(s))
				return s != i && (of != oneAxis && of != maybe || d.Nodes[s].Kind == scan.Object)
			})
		}
		for _, s := range gone {
			w.drop(Cut{int(d.Nodes[s].KeyAt) - 1, int(d.Nodes[s].End)}, string(d.Key(s)))
			d.Nodes[s].Dropped = true
		}
		cuts = w.cuts
	}
	return cuts
}

// plain returns the text of the string or number at node i.
func (b *Batch) plain(i int) []byte {
	if b.Doc.Nodes[i].Kind == scan.String {
		text, _ := b.Text(i)
		return text
	}
	return b.Doc.Raw(i)
}

func siblings(d *scan.Doc, i int) []int { return slices.Collect(d.Members(int(d.Nodes[i].Parent))) }

// names returns the path from root to node i.
func names(d *scan.Doc, root, i int) string {
	var list []string
	for ; i > root; i = int(d.Nodes[i].Parent) {
		list = append(list, string(d.Key(i)))
	}
	slices.Reverse(list)
	return strings.Join(list, ".")
}

// mayHold says whether the part that node i goes to may hold exact places.
func (b *Batch) mayHold(e *Event, root, i int) bool {
	d, k := &b.Doc, e.Kind
	if k.precise == 0 {
		return false
	}
	var room [16]int
	way := room[:0]
	for ; i > root; i = int(d.Nodes[i].Parent) {
		if d.Nodes[i].Mark == aside {
			return false
		}
		way = append(way, i)
	}
	at := int32(0)
	for j := len(way) - 1; j >= 0; j-- {
		to := k.branches[at].next(d, way[j])
		if to == 0 {
			break
		}
		at = to
	}
	return k.precise>>k.branches[at].part&1 == 1
}
