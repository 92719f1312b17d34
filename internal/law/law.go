// Package law holds the rules of cross-border transfers as data: one profile per origin's law, each
// rule with the days it holds on, where it was read and how well it is known.
//
// The profiles are embedded; an operator's own replace them by id. Nothing here judges a transfer:
// internal/decision does. None of it is legal advice (docs/law.md).
package law

import (
	"slices"
	"strings"

	"domicile.dev/internal/programme"
)

// Format is the version of the format of a profile, the value of its key `format`.
const Format = "domicile.law/v1"

// Marks say how well a rule is known. What is from memory is never shown as verified.
const (
	Primary    = "P" // the primary text was read
	Secondary  = "S" // a secondary source was read
	FromMemory = "M" // general knowledge; check it before relying on it
)

// Kinds of rules. All but within, free, anonymous and localisation answer a mechanism of that kind
// in the programme.
const (
	Within       = "within"       // places to which data moves without being transferred
	Free         = "free"         // no general rule on export
	Anonymous    = "anonymous"    // aggregates are outside of the law
	Localisation = "localisation" // bars places, whatever the mechanism
	Adequacy     = "adequacy"
	DPF          = "dpf"
	BCR          = "bcr"
	SCC          = "scc"
	IDTA         = "idta"
	BrazilSCC    = "br_scc"
	CBPR         = "cbpr_prp"
	Contract     = "contract"
	Derogation   = "derogation"
)

// Needs of a rule, beside what its kind asks for.
const (
	NeedTIA            = "tia"
	NeedAddendum       = "addendum"
	NeedSwissChanges   = "swiss_changes"
	NeedProtectionTest = "protection_test"
)

// Profile is the law of one origin.
type Profile struct {
	Format    string         `yaml:"format" is:"required;const=domicile.law/v1" doc:"The version of this format."`
	ID        string         `yaml:"id" is:"required;word" doc:"Short name; a file with the same one replaces this."`
	Name      string         `yaml:"name" is:"required" doc:"The law."`
	Countries []string       `yaml:"countries" is:"required;country" doc:"Whose people and exporters it binds."`
	AsOf      programme.Date `yaml:"as_of" is:"required" doc:"The day of the research."`
	Review    programme.Date `yaml:"review" is:"required" doc:"When somebody has to look again."`
	Source    string         `yaml:"source" is:"required" doc:"Where it was read."`
	Mark      string         `yaml:"mark" is:"required;enum=P,S,M" doc:"How well it is known: primary text, secondary source, memory."`
	Note      string         `yaml:"note" doc:"Anything that a reader should know."`
	Rules     []Rule         `yaml:"rules" is:"required" doc:"The rules, in order."`

	file string
}

// Rule is one rule of a profile.
type Rule struct {
	ID             string         `yaml:"id" is:"required;id=rules" doc:"Stable name; decisions carry it."`
	Kind           string         `yaml:"kind" is:"required;enum=within,free,anonymous,localisation,adequacy,dpf,bcr,scc,idta,br_scc,cbpr_prp,contract,derogation" doc:"What it is."`
	Says           string         `yaml:"says" is:"required" doc:"The rule in a few words."`
	From           programme.Date `yaml:"from" doc:"First day it holds."`
	Until          programme.Date `yaml:"until" doc:"Last day it holds."`
	Review         programme.Date `yaml:"review" doc:"When it is looked at again."`
	Source         string         `yaml:"source" is:"required" doc:"Where it was read."`
	Mark           string         `yaml:"mark" is:"required;enum=P,S,M" doc:"How well it is known."`
	Note           string         `yaml:"note" doc:"Anything that a reader should know."`
	Countries      []string       `yaml:"countries" is:"country" doc:"Destinations it is about; all when left out."`
	Categories     []string       `yaml:"categories" is:"word" doc:"Localisation: the categories it keeps at home; all when left out."`
	Limit          string         `yaml:"limit" is:"word" doc:"Adequacy: the scope that the recipient must be attested to be in."`
	Row            string         `yaml:"row" is:"enum=eu-us,uk-extension,swiss-us" doc:"DPF: the row of the directory."`
	BaseRow        string         `yaml:"base_row" is:"enum=eu-us" doc:"DPF: the row it can't stand without."`
	StandsOn       string         `yaml:"stands_on" is:"word" doc:"A rule, of any law, that it falls with."`
	Scheme         string         `yaml:"scheme" is:"enum=bcr-c,bcr-p" doc:"BCR: which rules."`
	Role           string         `yaml:"role" is:"enum=controller,processor" doc:"BCR: the role in which the exporter holds the data."`
	For            string         `yaml:"for" is:"enum=controller,processor" doc:"CBPR and PRP: the recipient's role; any when left out."`
	Schemes        []string       `yaml:"schemes" is:"enum=apec_cbpr,apec_prp,global_cbpr,global_prp" doc:"CBPR and PRP: the certificates that are recognised."`
	CheckDays      int            `yaml:"check_days" is:"min=1" doc:"How many days a look-up in the directory is good for."`
	FallbackWanted bool           `yaml:"fallback_wanted" doc:"True when it is at risk, and a transfer should have a second mechanism."`
	Needs          []string       `yaml:"needs" is:"enum=tia,addendum,swiss_changes,protection_test" doc:"What else it needs."`

	place programme.Position
	at    string
}

// Place is where the rule stands, for reasons.
func (r *Rule) Place() programme.Position { return r.place }

// At is that place as "file:line".
func (r *Rule) At() string { return r.at }

// Reaches says whether the rule is about that destination.
func (r *Rule) Reaches(country string) bool {
	return len(r.Countries) == 0 || slices.Contains(r.Countries, country)
}

// Book is a set of profiles, immutable.
type Book struct {
	// Version is "sha256:" and the hex of a SHA-256 over the profiles' bytes and what was struck.
	Version string

	profiles  []*Profile // by id
	byCountry map[string]*Profile
	rules     map[string]*Rule
}

// Profiles returns the profiles in order of id.
func (b *Book) Profiles() []*Profile { return b.profiles }

// Of returns the law of a country; nil when nobody has written it down, which is manual review and
// denies.
func (b *Book) Of(country string) *Profile { return b.byCountry[country] }

// Rule returns the rule with that id, or nil.
func (b *Book) Rule(id string) *Rule { return b.rules[id] }

// Without returns the book with rules struck, as if a court had. Unknown ids are returned too.
func (b *Book) Without(ids ...string) (struck *Book, unknown []string) {
	if len(ids) == 0 {
		return b, nil
	}
	struck = &Book{Version: b.Version + " without " + strings.Join(ids, ",")}
	for _, id := range ids {
		if b.rules[id] == nil {
			unknown = append(unknown, id)
		}
	}
	for _, p := range b.profiles {
		c := *p
		c.Rules = slices.DeleteFunc(slices.Clone(p.Rules), func(r Rule) bool { return slices.Contains(ids, r.ID) })
		struck.profiles = append(struck.profiles, &c)
	}
	struck.index()
	return struck, unknown
}

func (b *Book) index() {
	b.byCountry, b.rules = map[string]*Profile{}, map[string]*Rule{}
	for _, p := range b.profiles {
		for _, c := range p.Countries {
			b.byCountry[c] = p
		}
		for i := range p.Rules {
			b.rules[p.Rules[i].ID] = &p.Rules[i]
		}
	}
}

// OfKind returns the profile's rules of a kind, in order.
func (p *Profile) OfKind(kind string) (rules []*Rule) {
	for i := range p.Rules {
		if p.Rules[i].Kind == kind {
			rules = append(rules, &p.Rules[i])
		}
	}
	return rules
}

// Place is where the profile stands, for reasons.
func (p *Profile) Place() programme.Position { return programme.Position{File: p.file, Line: 1} }

// Covers says whether a jurisdiction as a programme writes it (a country, EU or EEA) names this law.
// The EEA Agreement takes over the EU's decisions, so EU names the law of the whole EEA.
func (p *Profile) Covers(jurisdiction string) bool {
	return slices.ContainsFunc(programme.Expand(jurisdiction), func(c string) bool { return slices.Contains(p.Countries, c) })
}
