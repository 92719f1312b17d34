package decision

import (
	"cmp"
	"slices"
)

// Both is one decision for two people's parts of one record, both of which may leave: the lesser form, all
// that either obliges to, and the earlier review. One of two that say the same comes back as it is.
func Both(a, b *Decision) *Decision {
	if Alike(a, b) {
		return a
	}
	d := *a
	d.Form = max(a.Form, b.Form)
	if b.Review != "" && (d.Review == "" || b.Review < d.Review) {
		d.Review = b.Review
	}
	d.Mechanism, d.Fallback = cmp.Or(a.Mechanism, b.Mechanism), cmp.Or(a.Fallback, b.Fallback)
	d.Laws = slices.Compact(slices.Sorted(slices.Values(slices.Concat(a.Laws, b.Laws))))
	d.Obligations = slices.Clone(a.Obligations)
	for _, o := range b.Obligations {
		i := slices.IndexFunc(d.Obligations, func(x Obligation) bool { return x.Do == o.Do })
		switch {
		case i < 0:
			d.Obligations = append(d.Obligations, o)
		case o.Do == "minimum_tls":
			d.Obligations[i].What = []string{max(d.Obligations[i].What[0], o.What[0])}
		default:
			x := &d.Obligations[i]
			x.Least = max(x.Least, o.Least)
			x.What = slices.Compact(slices.Sorted(slices.Values(slices.Concat(x.What, o.What))))
		}
	}
	for _, l := range b.Legs {
		if !slices.Contains(d.Legs, l) {
			d.Legs = append(slices.Clip(d.Legs), l)
		}
	}
	return &d
}

// Alike says whether two decisions on one flow let the same leave on the same grounds, whatever laws they
// were made under.
func Alike(a, b *Decision) bool {
	return a.Allowed == b.Allowed && a.Form == b.Form && a.Mechanism == b.Mechanism && a.Fallback == b.Fallback && a.Review == b.Review && a.Basis == b.Basis &&
		slices.EqualFunc(a.Obligations, b.Obligations, func(x, y Obligation) bool { return x.Do == y.Do && x.Least == y.Least && slices.Equal(x.What, y.What) })
}
