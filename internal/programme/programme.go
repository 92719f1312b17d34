// Package programme holds the declared truth: a folder of YAML, loaded into typed values that the
// data path enforces and the documents are rendered from.
//
// Three struct tags say everything the loader, the canonical form and the JSON Schema need:
// `yaml` is the key, `is` the rules (see rules.go) and `doc` what an editor shows. A new field is
// one line here.
//
// Format: docs/formats/programme.md, version 1.
package programme

import (
	"iter"

	"domicile.dev/internal/term"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Format is the version of the format, the value of the key `format`.
const Format = "domicile.programme/v1"

// Programme is one loaded, valid programme. It is immutable: who changes one, loads another.
type Programme struct {
	// Hash is "sha256:" and the hex of the SHA-256 over the canonical JSON of the loaded value,
	// so comments, layout and file names don't change it.
	Hash string `yaml:"-"`

	Format          string           `yaml:"format" is:"required;const=domicile.programme/v1" doc:"The version of this format."`
	Organisation    Organisation     `yaml:"organisation" is:"required" doc:"Who publishes this programme."`
	Entities        []Entity         `yaml:"entities" is:"required" doc:"The legal entities of the organisation."`
	Regions         []Region         `yaml:"regions" is:"required" doc:"The places where personal data lives."`
	Services        []Service        `yaml:"services" is:"required" doc:"The products that produce records."`
	Categories      []Category       `yaml:"categories" is:"required" doc:"The data categories of the notice."`
	FieldSets       []FieldSet       `yaml:"field_sets" doc:"Field mappings that several kinds share."`
	Kinds           []Kind           `yaml:"kinds" doc:"How the records of each kind split into categories."`
	Plans           []Plan           `yaml:"plans" doc:"Tracking plans: what some sources may send."`
	Consents        []Consent        `yaml:"consents" doc:"What the categories of sources' consent objects, keywords and unsubscribes stand for."`
	Purposes        []Purpose        `yaml:"purposes" is:"required" doc:"Why data is processed."`
	Recipients      []Recipient      `yaml:"recipients" doc:"Who gets data: the classes that the notice names, and each sub-processor, partner or entity in them."`
	Flows           []Flow           `yaml:"flows" doc:"Declared, running streams. What is not declared is denied."`
	Mechanisms      []Mechanism      `yaml:"mechanisms" doc:"What makes a cross-border transfer lawful, in order of preference."`
	Retention       Retention        `yaml:"retention" doc:"How long records and their parts are kept."`
	Rights          Rights           `yaml:"rights" doc:"What people may ask for, and by when they get it."`
	Notice          Notice           `yaml:"notice" is:"required" doc:"The text of the privacy notice around the rendered tables."`
	Certifications  []Certification  `yaml:"certifications" doc:"Certificates that the organisation says it holds."`
	RegionalPlan    *RegionalPlan    `yaml:"regional_plan" doc:"What is published of how data comes to stay in regions."`
	Principles      []Principle      `yaml:"principles" doc:"The principles that controls and requirements hang on."`
	Frameworks      []Framework      `yaml:"frameworks" doc:"Standards that controls are mapped to."`
	Controls        []Control        `yaml:"controls" doc:"What is done to protect people's data."`
	RequirementSets []RequirementSet `yaml:"requirement_sets" doc:"What certificates ask for, and what is done for it."`
	Economies       []Economy        `yaml:"economies" doc:"How far economies are with the certificates."`
	Authorities     []Authority      `yaml:"authorities" doc:"Bodies that people or the organisation can turn to."`
	Documents       []LegalDocument  `yaml:"documents" doc:"Documents that the organisation publishes or points to."`
	Events          []Event          `yaml:"events" doc:"What made the organisation judge transfers anew."`
	PseudonymisedAs []Treatment      `yaml:"pseudonymised_as" doc:"What happens to each element when a record is pseudonymised. What is not here is dropped."`
	PersonOrigins   []string         `yaml:"person_origins" is:"enum=residence,phone_country,none" doc:"What tells the region whose law a person brings, for decisions: the country that they declared, the countries of their phone numbers. Both when left out."`
	Translations    []Translation    `yaml:"translations" doc:"What the documents say in further languages."`

	index     index
	positions map[any]Position
	texts     []map[string]Position // of each translation, by key; "" is the translation itself
	speech    speech
}

// index finds things by id; it is built once, after the checks.
type index struct {
	entities   map[string]*Entity
	regions    map[string]*Region
	services   map[string]*Service
	categories map[string]*Category
	purposes   map[string]*Purpose
	recipients map[string]*Recipient
	mechanisms map[string]*Mechanism
	sets       map[string]*FieldSet
	kinds      map[[2]string]*Kind
	schemas    map[JSONSchema]*jsonschema.Schema
}

func (p *Programme) buildIndex() {
	p.index = index{
		entities:   byID(p.Entities, func(x *Entity) string { return x.ID }),
		regions:    byID(p.Regions, func(x *Region) string { return x.ID }),
		services:   byID(p.Services, func(x *Service) string { return x.ID }),
		categories: byID(p.Categories, func(x *Category) string { return x.ID }),
		purposes:   byID(p.Purposes, func(x *Purpose) string { return x.ID }),
		recipients: byID(p.Recipients, func(x *Recipient) string { return x.ID }),
		mechanisms: byID(p.Mechanisms, func(x *Mechanism) string { return x.ID }),
		sets:       byID(p.FieldSets, func(x *FieldSet) string { return x.ID }),
		kinds:      byID(p.Kinds, func(x *Kind) [2]string { return [2]string{x.Service, x.Kind} }),
	}
}

func byID[T any, K comparable](all []T, key func(*T) K) map[K]*T {
	m := make(map[K]*T, len(all))
	for i := range all {
		if k := key(&all[i]); m[k] == nil { // a second one is a fault of its own
			m[k] = &all[i]
		}
	}
	return m
}

// Entity returns the entity with that id, or nil.
func (p *Programme) Entity(id string) *Entity { return p.index.entities[id] }

// Region returns the region with that id, or nil.
func (p *Programme) Region(id string) *Region { return p.index.regions[id] }

// Service returns the service with that id, or nil.
func (p *Programme) Service(id string) *Service { return p.index.services[id] }

// Category returns the category with that id, or nil.
func (p *Programme) Category(id string) *Category { return p.index.categories[id] }

// Purpose returns the purpose with that id, or nil.
func (p *Programme) Purpose(id string) *Purpose { return p.index.purposes[id] }

// Recipient returns the recipient with that id, or nil.
func (p *Programme) Recipient(id string) *Recipient { return p.index.recipients[id] }

// Mechanism returns the mechanism with that id, or nil.
func (p *Programme) Mechanism(id string) *Mechanism { return p.index.mechanisms[id] }

// Kind returns the mapping of that kind of that service, or nil.
func (p *Programme) Kind(service, kind string) *Kind { return p.index.kinds[[2]string{service, kind}] }

// RunningRegions yields the regions that nodes run in, in the programme's order.
func (p *Programme) RunningRegions() iter.Seq[*Region] {
	return func(yield func(*Region) bool) {
		for i := range p.Regions {
			if p.Regions[i].Running && !yield(&p.Regions[i]) {
				return
			}
		}
	}
}

// Leaves returns the categories that data itself can have: id, or the children of id when it is
// a group heading; nil when the programme doesn't have it.
func (p *Programme) Leaves(id string) []string {
	c := p.Category(id)
	switch {
	case c == nil:
		return nil
	case c.GroupHeading:
		return c.Children
	}
	return []string{id}
}

// CategoriesOf returns the leaf categories that a purpose may use, in the programme's order.
func (p *Programme) CategoriesOf(purpose string) (leaves []string) {
	u := p.Purpose(purpose)
	if u == nil {
		return nil
	}
	for _, c := range u.Categories {
		if len(c.Only) > 0 {
			leaves = append(leaves, c.Only...)
		} else {
			leaves = append(leaves, p.Leaves(c.ID)...)
		}
	}
	return leaves
}

// KindRules yields every kind with its rules: those of its field sets, overridden by its own,
// in path order. What no rule names is term.Unclassified.
func (p *Programme) KindRules() iter.Seq2[*Kind, []Field] {
	return func(yield func(*Kind, []Field) bool) {
		for i := range p.Kinds {
			if !yield(&p.Kinds[i], p.rulesOf(&p.Kinds[i])) {
				return
			}
		}
	}
}

// Rules returns the rules of one kind, nil when the programme doesn't have it.
func (p *Programme) Rules(service, kind string) []Field {
	if k := p.Kind(service, kind); k != nil {
		return p.rulesOf(k)
	}
	return nil
}

func (p *Programme) rulesOf(k *Kind) []Field {
	var sets [][]Field
	for _, id := range k.FieldSets {
		sets = append(sets, p.index.sets[id].Fields)
	}
	return mergeFields(append(sets, k.Fields)...)
}

// OwnerOrDefault returns who the field's part is sealed for: term.RoleSubject unless it says.
func (f Field) OwnerOrDefault() string {
	if f.Owner == "" {
		return term.RoleSubject
	}
	return f.Owner
}
