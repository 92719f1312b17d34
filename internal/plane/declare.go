package plane

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"domicile.dev/internal/programme"
	"domicile.dev/internal/residency"
	"domicile.dev/internal/scan"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// places are where a tenant's events say in which country somebody lives.
type places struct {
	paths   [][]string
	needles [][]byte // the last names, as JSON has them; without any there is nothing to read
}

// usual are those of tenants without a rule by residence.
var (
	usualPaths = (*residency.Settings)(nil).Paths()
	usual      = placesAt(usualPaths)
)

func placesOf(src *tenant.Source) *places {
	if paths := src.Settings.Paths(); !slices.Equal(paths, usualPaths) {
		return placesAt(paths)
	}
	return usual
}

func placesAt(paths []string) *places {
	p := &places{}
	for _, path := range paths {
		names := strings.Split(path, ".")
		p.paths = append(p.paths, names)
		needle := []byte(`"` + names[len(names)-1] + `"`)
		if !slices.ContainsFunc(p.needles, func(n []byte) bool { return bytes.Equal(n, needle) }) {
			p.needles = append(p.needles, needle)
		}
	}
	return p
}

// escape is in JSON that can spell a name in another way.
var escape = []byte(`\u`)

func (p *places) mayBeIn(json []byte) bool {
	return slices.ContainsFunc(p.needles, func(n []byte) bool { return bytes.Contains(json, n) }) || bytes.Contains(json, escape)
}

// read notes for everybody whom e is about which country it says that they live in: the one at the first of
// the paths that has a country, in what is theirs.
func (p *places) read(e *prepared) {
	for i := range e.ev.Fragments {
		f := &e.ev.Fragments[i]
		if len(e.says) == 0 || f.Owner == term.OwnerNobody || !p.mayBeIn(f.JSON) {
			continue
		}
		var doc scan.Doc
		if err := doc.ParseAll(f.JSON, scan.Limits{}); err != nil {
			continue
		}
		for n, path := range p.paths {
			country := programme.CountryOf(stringAt(&doc, path))
			if country == "" {
				continue
			}
			for _, s := range owners(e.says, f.Owner) {
				if s.country == "" || n < s.countryPath {
					s.country, s.countryPath = country, n
				}
			}
			break
		}
	}
}

// declaring is an accepted event that says where somebody lives.
type declaring struct {
	speaking
	at int64
}

// knownPlace is that a residence was looked at: low bits its country, above them the day.
type knownPlace struct {
	key  subject.Key
	mine bool
	seen uint64
}

const placeBits = 16

func placeOf(country string, at int64) uint64 {
	return uint64(at/(24*time.Hour).Milliseconds())<<placeBits | uint64(country[0])<<8 | uint64(country[1])
}

func slotOf(mine bool) int {
	if mine {
		return 1
	}
	return 0
}

// livesIn says whether the person is known to have said so, that day or later.
func (p *person) livesIn(mine bool, seen uint64) bool {
	known := p.place[slotOf(mine)].Load()
	return known&(1<<placeBits-1) == seen&(1<<placeBits-1) && known>>placeBits >= seen>>placeBits
}

func (c *people) lives(k knownPlace) {
	s := &c.subjects[k.key.Subject[0]&15]
	s.mu.RLock()
	defer s.mu.RUnlock()
	if p := s.m[k.key]; p != nil {
		p.place[slotOf(k.mine)].Store(k.seen)
	}
}

// hearPlaces notes what an accepted event says of where people live, unless this node knows it.
func (g *group) hearPlaces(o *ingestOp, e *prepared) {
	for i := range e.says {
		sd := &e.says[i]
		if sd.country == "" || sd.row == nil && sd.who == nil {
			continue
		}
		d := declaring{speaking: speaking{o: o, e: e, said: sd, mine: o.src.Trust == term.Server || g.deviceOf(sd)}, at: declaredAt(o, e)}
		if sd.row == nil && sd.who.livesIn(d.mine, placeOf(sd.country, d.at)) {
			continue
		}
		g.declaring = append(g.declaring, d)
	}
}

// declaredAt is the person's time, as far as it can be: what is in the future says nothing.
func declaredAt(o *ingestOp, e *prepared) int64 {
	if at := e.ev.OccurredAt; at > 0 && at <= o.chunk.ReceivedAt && !e.ev.Skewed {
		return at
	}
	return o.chunk.ReceivedAt
}

// dweller is somebody who declares where they live, with all subjects that they are.
type dweller struct {
	head subject.Key
	keys []subject.Key
	rows []residency.Origins
}

// keepResidences keeps what the group's events say of where people live. The later declaration counts, by the
// person's time. A public source replaces nothing unless the event comes from the person's own device: a
// stranger with a browser's key could otherwise take the law away from somebody whom they can name. Where
// nothing was declared before, theirs counts: it only adds a law.
func (g *group) keepResidences() error {
	if len(g.declaring) == 0 {
		return nil
	}
	all := make([]speaking, len(g.declaring))
	for i := range all {
		all[i] = g.declaring[i].speaking
	}
	if err := g.findDevices(all, func(*speaking) bool { return true }); err != nil {
		return err
	}
	who, err := g.dwellers(all)
	if err != nil {
		return err
	}
	var puts []subject.Residence
	for i := range g.declaring {
		d := &g.declaring[i]
		k := subject.Key{Tenant: d.said.Tenant, Subject: d.said.subject()}
		person := who[k]
		if person == nil {
			continue
		}
		g.lives = append(g.lives, knownPlace{person.head, all[i].mine, placeOf(d.said.country, d.at)})
		was := residency.Declared(person.rows)
		if was != nil && (!all[i].mine || d.at < was.DeclaredAt || d.said.country == was.Residence && d.at-was.DeclaredAt < (24*time.Hour).Milliseconds()) {
			continue
		}
		if (was == nil || was.Residence != d.said.country) && (g.graph == nil || !g.graph.Fresh(person.head)) {
			if err := g.tell("residence", person.head); err != nil {
				return err
			}
		}
		at := slices.Index(person.keys, k)
		person.rows[at].Residence, person.rows[at].DeclaredAt, person.rows[at].DeclaredBy = d.said.country, d.at, d.o.src.ID
		puts = append(puts, subject.Residence{Key: k, Country: d.said.country, Source: d.o.src.ID, At: d.at})
	}
	if len(puts) == 0 {
		return nil
	}
	if err := g.p.Subjects.PutResidences(g.tx, puts); err != nil {
		return fmt.Errorf("keep where people live: %w", err)
	}
	return nil
}

// dwellers loads who declares, by the subjects that events speak of.
func (g *group) dwellers(all []speaking) (map[subject.Key]*dweller, error) {
	who := map[subject.Key]*dweller{}
	var keys, heads, members []subject.Key
	for i := range all {
		k := subject.Key{Tenant: all[i].said.Tenant, Subject: all[i].said.subject()}
		if _, twice := who[k]; !twice {
			who[k] = nil
			keys = append(keys, k)
		}
	}
	byHead := map[subject.Key]*dweller{}
	if err := g.p.Subjects.Rows(g.tx, keys, func(r subject.Row) {
		head := subject.Key{Tenant: r.Tenant, Subject: r.Head}
		if byHead[head] == nil {
			byHead[head] = &dweller{head: head}
			heads = append(heads, head)
		}
		who[r.Key] = byHead[head]
	}); err != nil {
		return nil, fmt.Errorf("load who declares: %w", err)
	}
	members = append(members, heads...)
	if err := g.p.Subjects.Members(g.tx, heads, func(r subject.Row) {
		members = append(members, r.Key)
		byHead[r.Key] = byHead[subject.Key{Tenant: r.Tenant, Subject: r.Head}]
	}); err != nil {
		return nil, fmt.Errorf("load members: %w", err)
	}
	if err := g.p.Subjects.Origins(g.tx, members, func(i int, o residency.Origins) {
		d := byHead[members[i]]
		d.keys, d.rows = append(d.keys, members[i]), append(d.rows, o)
	}); err != nil {
		return nil, fmt.Errorf("load what was declared: %w", err)
	}
	return who, nil
}

// numbered are the heads of those who got a number that tells a country.
func numbered(g *subject.Graph) (keys []subject.Key) {
	for _, n := range g.Numbered() {
		k := n.Key
		if head := g.Head(k); head != nil {
			k = head.Key
		}
		if !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	return keys
}
