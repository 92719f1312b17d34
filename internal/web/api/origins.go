package api

import (
	"time"

	"domicile.dev/internal/plane"
)

// originBody is a country whose law a person brings.
type originBody struct {
	Country string     `json:"country" pattern:"^[A-Z]{2}$"`
	By      string     `json:"by" enum:"residence,phone_country" doc:"what tells it: the residence that was declared last, or a phone number or WhatsApp id of theirs"`
	At      *time.Time `json:"at,omitempty" doc:"when a residence was declared, by the person's own time"`
	Source  string     `json:"source,omitempty" doc:"of a residence: the source that brought it"`
}

func originsOf(all []plane.OriginView) []originBody {
	var out []originBody
	for _, o := range all {
		b := originBody{Country: o.Country, By: o.By, Source: o.Source}
		if !o.At.IsZero() {
			b.At = wireTime(&o.At)
		}
		out = append(out, b)
	}
	return out
}
