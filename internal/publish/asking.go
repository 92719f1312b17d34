package publish

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"domicile.dev/internal/register"
)

// Askings returns, as a part of a node's register, the consents that have to be asked for again. A yes to the new
// text is one said after its publication, or one that names it; what was adopted was public on its first day.
func Askings(all []Version) *register.Register {
	r := &register.Register{Format: register.Format, Askings: register.Askings{Notices: map[string]int{}}}
	sum := sha256.New()
	for i := range all {
		v := &all[i]
		if _, there := r.Askings.Notices[v.Notice]; !there {
			r.Askings.Notices[v.Notice] = v.N
		}
		since := v.PublishedAt.UnixMilli()
		if v.Adopted {
			since = int64(v.Effective) * 86_400_000
		}
		for _, p := range v.AskAgain {
			r.Askings.All = append(r.Askings.All, register.Asking{Purpose: p, N: v.N, Version: v.Name(), Since: since, From: v.Effective})
		}
		_, _ = fmt.Fprintf(sum, "%d %q %d %d %q\n", v.N, v.Notice, since, v.Effective, v.AskAgain)
	}
	r.Version = "sha256:" + hex.EncodeToString(sum.Sum(nil))
	return r
}
