package ingest

import (
	"domicile.dev/internal/scan"
)

// maxUnmapped bounds the paths that Unmapped gives of one fragment.
const maxUnmapped = 32

// Unmapped calls each with the paths of what is in a fragment of what is unclassified: dotted names, of
// which the last is the first that no rule of the kind has. What is below it isn't looked into. Where a
// rule does map what is there, a plan set it aside, and the path is one name longer than the rule's.
// A path can hold personal data, since names are the client's to choose.
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
		to := k.branches[here].lead(name)
		full := string(name)
		if path != "" {
			full = path + "." + full
		}
		inside := to != 0 && src[at] == '{'
		switch {
		case inside && (len(k.branches[to].table) > 0 || k.branches[to].any != 0):
			k.unmapped(src, at, to, full, each)
		case inside:
			members(src, at, full, each)
		default:
			each(full)
		}
		return end, nil
	})
}

// members calls each with the paths of an object's members.
func members(src []byte, at int, path string, each func(string)) {
	_, _ = scan.EachMember(src, at, func(raw []byte, at int) (int, error) {
		end, err := scan.Skip(src, at)
		if err == nil {
			name, _ := scan.Unquote(nil, raw)
			each(path + "." + string(name))
		}
		return end, err
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
