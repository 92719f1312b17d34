package register

import (
	"fmt"
	"slices"
	"strings"

	"domicile.dev/internal/programme"
)

// Fact is what the register says of one key on a day. The zero value is nothing said.
type Fact struct {
	// Holds is false when the last word was no: not listed, a failed look-up, stop.
	Holds bool
	// From and Until are the first and last day; From is the day of a look-up.
	From, Until programme.Day
	// Says is a short text for reasons.
	Says string
	// TLS13 and Drop are what an assessment demands.
	TLS13 bool
	Drop  []string
}

// Facts is a register seen on a day, by key. Keys are built by the functions below.
type Facts struct {
	Day     programme.Day
	ByKey   map[string]Fact
	Tenants map[string]Tenant
	Paused  map[string]Fact // flow
	Version string
	Unread  string // as Register's
}

// Tenant is what the register says of a customer on a day.
type Tenant struct {
	Enabled, Objects []string                 // recipients
	Until            map[string]programme.Day // last day of what is enabled
	Pinned           bool
	Pin              []string // countries
}

// name makes a registered name one segment of a key: names may have slashes in them.
var name = strings.NewReplacer("%", "%25", "/", "%2F").Replace

// KeyContract is the contract that every recipient needs. by is "" when the organisation itself is
// the other party, here and below.
func KeyContract(by, entity string) string { return KeyPlain("contract", by, entity) }

// KeyPlain is a contract that is what its kind says: addendum, idta, br_scc.
func KeyPlain(kind, by, entity string) string { return kind + "/" + name(by) + "/" + name(entity) }

// KeySCC is a contract with that module of the clauses of 2021.
func KeySCC(module, by, entity string) string { return KeyPlain("scc/"+module, by, entity) }

// KeySwissSCC is one that has the Swiss changes.
func KeySwissSCC(module, by, entity string) string { return KeyPlain("scc-ch/"+module, by, entity) }

// KeyComparable is a contract for comparable protection that names the country.
func KeyComparable(by, entity, country string) string {
	return KeyPlain("comparable/"+country, by, entity)
}

// KeyDPF is a row of the DPF's directory; data is hr or non_hr.
func KeyDPF(row, data, entity string) string { return "dpf/" + row + "/" + data + "/" + name(entity) }

// KeyCertificate is a certificate in a CBPR directory.
func KeyCertificate(scheme, entity string) string {
	return "certificate/" + scheme + "/" + name(entity)
}

// KeyLimit is the attested scope of an adequacy decision.
func KeyLimit(limit, entity string) string { return "limit/" + limit + "/" + name(entity) }

// KeyTest is the UK's data protection test.
func KeyTest(entity, country string) string { return "protection_test/" + country + "/" + name(entity) }

// KeyTIA is an assessment that lets data go in that form, clear or pseudonymised.
func KeyTIA(form, entity, country string) string {
	return "tia/" + form + "/" + country + "/" + name(entity)
}

// KeyCase is a one-off transfer.
func KeyCase(id, recipient string) string { return "case/" + id + "/" + recipient }

// KeyPublished holds where lists of sub-processors are published and announced: then one that never
// was gets nothing.
const KeyPublished = "published"

// KeyAnnounced is a recipient of the published list, from the day after customers could object.
func KeyAnnounced(recipient string) string { return "announced/" + recipient }

// At returns the facts as they stood on a day: what is dated later isn't known yet.
func (r *Register) At(day programme.Day) *Facts {
	f := &Facts{Day: day, ByKey: map[string]Fact{}, Tenants: map[string]Tenant{}, Paused: map[string]Fact{}}
	if r == nil {
		return f
	}
	f.Version, f.Unread = r.Version, r.Unread
	f.checks(r.Checks)
	f.contracts(r.Contracts)
	f.assessments(r.Assessments)
	f.announcements(r.Announcements)
	for _, a := range r.Attestations {
		f.any(KeyLimit(a.Limit, a.Entity), Fact{Holds: true, From: programme.FirstDay(a.Dated), Until: programme.LastDay(a.ValidUntil), Says: "attested on " + string(a.Dated)})
	}
	for _, c := range r.Cases {
		f.any(KeyCase(c.ID, c.Recipient), Fact{Holds: true, From: programme.FirstDay(c.From), Until: programme.LastDay(c.Until), Says: c.Ground})
	}
	f.stops(r)
	return f
}

// announcements keeps the last one about each recipient. Its first day may lie ahead.
func (f *Facts) announcements(all []Announcement) {
	since := map[string]programme.Day{}
	for _, a := range all {
		day, key := programme.FirstDay(a.Announced), KeyAnnounced(a.Recipient)
		if last, ok := since[key]; day > f.Day || ok && day < last {
			continue
		}
		since[key] = day
		n := Fact{Holds: true, From: programme.LastDay(a.Until) + 1, Until: programme.Never,
			Says: fmt.Sprintf("announced on %s, and customers may object until %s", a.Announced, a.Until)}
		if a.Withdrawn != "" && programme.FirstDay(a.Withdrawn) <= f.Day {
			n.Holds, n.Says = false, fmt.Sprintf("it left the published list on %s", a.Withdrawn)
		}
		f.ByKey[key] = n
		f.ByKey[KeyPublished] = Fact{Holds: true, Until: programme.Never, Says: "lists are published here"}
	}
}

func (f *Facts) stops(r *Register) {
	on := func(from, until programme.Date) bool {
		return programme.FirstDay(from) <= f.Day && f.Day <= programme.LastDay(until)
	}
	edit := func(tenant string, change func(*Tenant)) {
		t := f.Tenants[tenant]
		change(&t)
		f.Tenants[tenant] = t
	}
	for _, e := range r.Enablements {
		if on(e.From, e.Until) {
			edit(e.Tenant, func(t *Tenant) { t.enable(e) })
		}
	}
	for _, o := range r.Objections {
		if on(o.From, o.Until) {
			edit(o.Tenant, func(t *Tenant) { t.Objects = append(t.Objects, o.Recipient) })
		}
	}
	since := map[string]programme.Date{}
	for _, p := range r.Pins {
		if !on(p.From, p.Until) || p.From < since[p.Tenant] {
			continue
		}
		since[p.Tenant] = p.From
		var places []string
		for _, j := range p.Places {
			places = append(places, programme.Expand(j)...)
		}
		edit(p.Tenant, func(t *Tenant) { t.Pinned, t.Pin = true, places })
	}
	for _, p := range r.Pauses {
		if on(p.From, p.Until) {
			f.Paused[p.Flow] = Fact{Holds: true, From: programme.FirstDay(p.From), Until: programme.LastDay(p.Until), Says: p.Reason}
		}
	}
}

// enable notes a choice; of several of one recipient the one that holds longest counts.
func (t *Tenant) enable(e Enablement) {
	if t.Until == nil {
		t.Until = map[string]programme.Day{}
	}
	if !slices.Contains(t.Enabled, e.Recipient) {
		t.Enabled = append(t.Enabled, e.Recipient)
	}
	t.Until[e.Recipient] = max(t.Until[e.Recipient], programme.LastDay(e.Until))
}

// latest keeps the last word: directories and assessments are overruled by newer ones. Of two on
// one day the one that says no counts; where both say yes, what both demand and the earlier end.
func (f *Facts) latest(key string, n Fact) {
	if n.From > f.Day {
		return
	}
	old, ok := f.ByKey[key]
	switch {
	case !ok || n.From > old.From || n.From == old.From && old.Holds && !n.Holds:
		f.ByKey[key] = n
	case n.From == old.From && old.Holds && n.Holds:
		old.TLS13, old.Until = old.TLS13 || n.TLS13, min(old.Until, n.Until)
		old.Drop = slices.Concat(old.Drop, n.Drop)
		slices.Sort(old.Drop)
		old.Drop = slices.Compact(old.Drop)
		f.ByKey[key] = old
	}
}

// any keeps the one that holds longest from today: contracts stand beside each other.
func (f *Facts) any(key string, n Fact) {
	if n.From > f.Day {
		return
	}
	if old, ok := f.ByKey[key]; !ok || n.Until > old.Until {
		f.ByKey[key] = n
	}
}

func (f *Facts) checks(all []Check) {
	for _, c := range all {
		n := Fact{Holds: c.Status == "active" || c.Status == "recertifying", From: programme.FirstDay(c.Checked), Until: programme.LastDay(c.ValidUntil),
			Says: fmt.Sprintf("the look-up of %s said %s", c.Checked, c.Status)}
		if c.Directory == "cbpr" {
			f.latest(KeyCertificate(c.Scheme, c.Entity), n)
			continue
		}
		for _, data := range []string{"hr", "non_hr"} {
			covered := n
			if n.Holds && !slices.Contains(c.Data, data) {
				covered.Holds, covered.Says = false, fmt.Sprintf("the look-up of %s said that the listing doesn't cover %s data", c.Checked, data)
			}
			f.latest(KeyDPF(c.Row, data, c.Entity), covered)
		}
	}
}

func (f *Facts) contracts(all []Contract) {
	for _, c := range all {
		n := Fact{Holds: true, From: programme.FirstDay(c.Signed), Until: programme.LastDay(c.ValidUntil), Says: "contract " + c.ID}
		switch c.Kind {
		case "data_protection":
			f.any(KeyContract(c.By, c.With), n)
		case "scc":
			if c.Set != "2021/914" || !c.Annexes || !c.Unaltered {
				continue // the old sets are dead; a changed or unfilled one is not the Commission's
			}
			for _, m := range c.Modules {
				if m == "p2c" && !c.Own {
					continue // module 4 is for the exporter's own controller
				}
				f.any(KeySCC(m, c.By, c.With), n)
				if c.Swiss {
					f.any(KeySwissSCC(m, c.By, c.With), n)
				}
			}
		case "comparable":
			for _, country := range c.Countries {
				f.any(KeyComparable(c.By, c.With, country), n)
			}
		case "br_scc":
			if c.Unaltered {
				f.any(KeyPlain(c.Kind, c.By, c.With), n)
			}
		default:
			f.any(KeyPlain(c.Kind, c.By, c.With), n)
		}
	}
}

func (f *Facts) assessments(all []Assessment) {
	for _, a := range all {
		n := Fact{Holds: a.Outcome != "stop", From: programme.FirstDay(a.Assessed), Until: programme.LastDay(a.Due), Drop: a.Drop,
			TLS13: slices.Contains(a.Measures, "tls_1_3"), Says: fmt.Sprintf("the assessment of %s said %s", a.Assessed, a.Outcome)}
		if a.Kind == "protection_test" {
			f.latest(KeyTest(a.Entity, a.Country), n)
			continue
		}
		f.latest(KeyTIA("pseudonymised", a.Entity, a.Country), n)
		if n.Holds && slices.Contains(a.Measures, "pseudonymise") {
			n.Holds, n.Says = false, fmt.Sprintf("the assessment of %s asks for pseudonyms", a.Assessed)
		}
		f.latest(KeyTIA("clear", a.Entity, a.Country), n)
	}
}
