package centre

import (
	"mime"
	"strconv"
	"strings"
)

// choose returns the form that an Accept header prefers, the first one where it prefers none (RFC 9110,
// 12.5.1: a server may ignore what it can't fulfil).
func choose(forms []form, accept []string) form {
	best, at := forms[0], 0.0
	ranges := strings.Split(strings.Join(accept, ","), ",")
	for _, f := range forms {
		media, _, _ := strings.Cut(f.media, ";")
		if q := quality(media, ranges); q > at {
			best, at = f, q
		}
	}
	return best
}

// quality is the weight that the most specific range gives to a media type.
func quality(media string, ranges []string) (q float64) {
	family, _, _ := strings.Cut(media, "/")
	rank := 0
	for _, r := range ranges {
		name, params, err := mime.ParseMediaType(r)
		if err != nil {
			continue
		}
		specific := map[string]int{media: 3, family + "/*": 2, "*/*": 1}[name]
		if specific <= rank {
			continue
		}
		weight := 1.0
		if s, ok := params["q"]; ok {
			if weight, err = strconv.ParseFloat(s, 64); err != nil || weight < 0 || weight > 1 {
				continue
			}
		}
		rank, q = specific, weight
	}
	return q
}
