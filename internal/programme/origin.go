package programme

import "slices"

// noOrigins in person_origins says that nothing tells whose law a person brings.
const noOrigins = "none"

// CountsOrigin says whether decisions go by a signal of whose law a person brings, residence or
// phone_country: both unless the programme says otherwise.
func (p *Programme) CountsOrigin(by string) bool {
	return len(p.PersonOrigins) == 0 || slices.Contains(p.PersonOrigins, by)
}

// checkOrigins refuses none beside a signal.
func (d *decoder) checkOrigins(p *Programme) {
	if len(p.PersonOrigins) > 1 && slices.Contains(p.PersonOrigins, noOrigins) {
		d.contradicts(d.at[p], "person_origins", "none stands alone", "leave none out, or everything else")
	}
}
