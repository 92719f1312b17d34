package ingest

import (
	"domicile.dev/internal/scan"
)

// maxUnmapped bounds the paths that Unmapped gives of one fragment.
const maxUnmapped = 32

// Unmapped calls each with the path of every member of a fragment of what is unclassified that no
// rule of the kind leads to: dotted names, of which the last is the first that the kind doesn't know.
// What is below it isn't looked into, and what a rule does map is passed over, since a plan set that
// aside. A path can hold personal data, since names are the client's to choose.
func (k *Kind) Unmapped(fragment []byte, each func(path string)) {
	n := 0
	k.unmapped(fragment, 0, 0, "", func(path string) {
		if n++; n <= maxUnmapped {
			each(path)
		}
	})
}

func (k *Kind) unmapped(src []byte, at int, here int32, path string, each func(string)) {
	_, _ = scan.EachMember(src, at, func(raw []byte, at int) (int, error) {
		end, err := scan.Skip(src, at)
		if err != nil {
			return end, err
		}
		name, _ := scan.Unquote(nil, raw)
		b := &k.branches[here]
		to := b.lead(name)
		full := string(name)
		if path != "" {
			full = path + "." + full
		}
		switch {
		case to == 0 && b.part == 0:
			each(full)
		case to == 0: // inherits a category
		case len(k.branches[to].table) > 0 || k.branches[to].any != 0:
			if src[at] == '{' {
				k.unmapped(src, at, to, full, each)
			} else if k.branches[to].part == 0 { // where the kind has an object, there is none
				each(full)
			}
		}
		return end, nil
	})
}

// lead returns the branch to which a name leads, 0 for none.
func (b *branch) lead(name []byte) int32 {
	if len(b.table) > 0 {
		print := scan.Fingerprint(name)
		for i := b.slot(print); b.table[i].to != 0; i = (i + 1) & (len(b.table) - 1) {
			if t := &b.table[i]; t.print == print && t.name == string(name) {
				return t.to
			}
		}
	}
	return b.any
}
