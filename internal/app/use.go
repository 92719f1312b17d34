package app

import (
	"slices"

	"domicile.dev/internal/plane"
)

// use is what a purpose of the programme may be used for, nil when there is no such purpose. Recordings
// and attachments belong to the category that exact places may be in, which is customers' content.
func (r *rules) use(purpose string) *plane.Use {
	u := r.p.Purpose(purpose)
	if u == nil {
		return nil
	}
	out := &plane.Use{Categories: map[string]bool{}, Consent: slices.Contains(u.LegalBases, "consent"),
		ConsentAlone: len(u.LegalBases) == 1 && u.LegalBases[0] == "consent"}
	for _, c := range r.p.CategoriesOf(purpose) {
		out.Categories[c] = true
		out.Media = out.Media || r.p.PreciseLocation(c)
	}
	return out
}
