package decision

import (
	"slices"

	"domicile.dev/internal/programme"
)

// importer is one who gets the data: the flow's recipient, or somebody it passes data on to.
type importer struct {
	r        *programme.Recipient
	id       string   // in the names of its conditions: the recipient's, and whom it has the data from where it has it from several
	name     string   // registered name
	role     string   // as the programme has it; "" when it isn't declared
	by       string   // registered name of the one it has the data from; "" for the organisation
	exporter []string // roles of the one it has the data from: controller, processor
	places   []string // countries: seat, hosting, remote access
	areas    bool     // a place is no country
	at       string
}

// processor says whether the importer acts for others.
func (i *importer) processor() bool { return i.role == "processor" }

// importers returns the flow's recipient and all that it passes data on to, each once for every one that it has
// the data from: each hand-over needs its own contract and mechanism.
func importers(p *programme.Programme, f *programme.Flow) []importer {
	r := p.Recipient(f.To)
	if r == nil {
		return nil
	}
	var roles []string
	for _, s := range f.Services {
		if x := p.Service(s); x != nil && !slices.Contains(roles, x.Role) {
			roles = append(roles, x.Role)
		}
	}
	role := f.Role
	if all := p.RolesOf(r); role == "" && len(all) == 1 {
		role = all[0].Role
	}
	out := []importer{makeImporter(p, r, role, "", roles)}
	reached, handed := map[string]bool{r.ID: true}, map[[2]string]bool{}
	for n := 0; n < len(out); n++ { // grows while it is walked: sub-processors of sub-processors
		from := out[n]
		exporter := []string{"controller"}
		if from.processor() {
			exporter = []string{"processor"}
		}
		for _, id := range from.r.Onward {
			over := [2]string{from.r.ID, id}
			on := p.Recipient(id)
			if on == nil || id == r.ID || handed[over] { // back to the flow's recipient nothing new goes
				continue
			}
			handed[over] = true
			role := ""
			if all := p.RolesOf(on); len(all) == 1 {
				role = all[0].Role
			}
			i := makeImporter(p, on, role, from.name, exporter)
			if reached[id] {
				i.id += "/from/" + from.r.ID
			}
			reached[id] = true
			out = append(out, i)
		}
	}
	return out
}

func makeImporter(p *programme.Programme, r *programme.Recipient, role, by string, exporter []string) importer {
	i := importer{r: r, id: r.ID, name: p.EntityName(r), role: role, by: by, exporter: exporter, at: at(p.At(r))}
	add := func(country string) {
		if country != "" && !slices.Contains(i.places, country) {
			i.places = append(i.places, country)
		}
	}
	for _, l := range r.Locations {
		add(l.Country) // its label is what a source prints, and no place
		i.areas = i.areas || l.Country == ""
	}
	for _, c := range r.RemoteAccess {
		add(c)
	}
	add(r.Country)
	if e := p.Entity(r.Entity); e != nil {
		add(e.Country)
	}
	return i
}
