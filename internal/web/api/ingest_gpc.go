package api

import (
	"net/http"
	"slices"

	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// gpc says whether the request carries the Global Privacy Control signal of a person: a browser sends it,
// and exactly "1" is one, in any of several headers. Do Not Track is taken for the same: both are universal
// opt-outs by the notice. A server that has such a header speaks of itself.
func gpc(r *http.Request, src *tenant.Source) bool {
	return src.Trust == term.Public && (slices.Contains(r.Header["Sec-Gpc"], "1") || slices.Contains(r.Header["Dnt"], "1"))
}
