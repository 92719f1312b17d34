package ingest

import (
	"math/bits"
	"slices"
	"strings"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/scan"
	"domicile.dev/internal/term"
)

// Rule says what the value at a path is, and all below it that no longer path names.
type Rule struct {
	Path     string // names joined by dots from the record's root; "*" stands for any one name
	Category string
	Owner    string // a role of term, OwnerWriter or OwnerNobody; "" means OwnerWriter
	Precise  bool   // exact places may be in the category; anywhere else they are dropped
}

// Part is what a fragment can be: one category of what one owner's key seals.
type Part struct{ Category, Owner string }

// Kinds finds the compiled kind of a service's records, nil when the programme declares none.
type Kinds interface {
	Kind(service, name string) *Kind
}

// Kind is a type of record with its rules compiled to a tree of names. It is immutable.
type Kind struct {
	Service, Name string

	// SubjectType is the type of identifier that a bare name of a person has, where the protocol
	// itself does not say what it names: the attribute subject of a CloudEvent. "" is none.
	SubjectType string

	parts    []Part   // the first is what no rule names
	branches []branch // the first is the root
	plain    int32    // the first of as many branches as there are parts, from which nothing leads on
	words    map[string]struct{}
	precise  uint64 // set of the parts that exact places may be in
	plan     Plan
}

// MaxParts is how many different (category, owner) pairs one kind may have, so that a set of them
// fits Event.Slots.
const MaxParts = 64

// maxBranches bounds what wildcards can multiply to.
const maxBranches = 1 << 16

// branch is one place in the tree of names.
type branch struct {
	part  int32 // of what is here and is not named more closely
	any   int32 // the branch of any other name; 0 for none
	shift uint8 // 64 minus the table's size in bits
	table []twig
}

// twig leads from a branch to a longer one; to is 0 in an empty slot, since nothing leads to the root.
type twig struct {
	print uint64
	name  string
	to    int32
}

// pattern is a rule on the way: what is left of its path after the names already walked.
type pattern struct {
	rule int
	rest []string
}

// Compile makes a Kind of rules. Of two rules that name the same value the longer wins, and of
// two equally long the one whose first difference is a name and not "*". The order of the rules
// makes no difference. The error is a fault of kind Invalid that names the rule's path.
func Compile(service, name string, rules []Rule) (*Kind, error) {
	c := compiler{rules: slices.Clone(rules), kind: &Kind{Service: service, Name: name,
		parts: []Part{{term.Unclassified, term.OwnerWriter}}, words: map[string]struct{}{}}}
	slices.SortFunc(c.rules, func(a, b Rule) int { return strings.Compare(a.Path, b.Path) })
	var all []pattern
	for i, r := range c.rules {
		path := strings.Split(r.Path, ".")
		switch {
		case slices.Contains(path, ""):
			return nil, fault.New(fault.Invalid, "kind.bad_path", "%s/%s: path %q has an empty name", service, name, r.Path)
		case i > 0 && c.rules[i-1].Path == r.Path:
			return nil, fault.New(fault.Invalid, "kind.path_twice", "%s/%s: path %q is mapped twice", service, name, r.Path)
		case r.Category == "":
			return nil, fault.New(fault.Invalid, "kind.no_category", "%s/%s: path %q has no category", service, name, r.Path)
		case !ownerKnown(r.Owner):
			return nil, fault.New(fault.Invalid, "kind.bad_owner", "%s/%s: path %q has the unknown owner %q", service, name, r.Path, r.Owner)
		}
		for _, word := range path {
			if word != "*" {
				c.kind.words[word] = struct{}{}
			}
		}
		all = append(all, pattern{i, path})
	}
	if c.branch(0, all); c.err != nil {
		return nil, c.err
	}
	c.kind.plain = int32(len(c.kind.branches))
	for i := range c.kind.parts {
		c.kind.branches = append(c.kind.branches, branch{part: int32(i)})
	}
	return c.kind, nil
}

func ownerKnown(owner string) bool {
	return slices.Contains([]string{"", term.OwnerWriter, term.OwnerNobody, term.RoleSubject, term.RoleSender,
		term.RoleRecipient, term.RoleParticipant}, owner)
}

type compiler struct {
	rules []Rule
	kind  *Kind
	err   error
}

// branch compiles the place where the names walked so far leave these patterns. What no pattern
// ends at inherits its part from above.
func (c *compiler) branch(inherited int32, here []pattern) int32 {
	at := int32(len(c.kind.branches))
	if at >= maxBranches {
		c.err = fault.New(fault.Invalid, "kind.too_wide", "%s/%s: its wildcards multiply to more than %d places", c.kind.Service, c.kind.Name, maxBranches)
	}
	c.kind.branches = append(c.kind.branches, branch{part: inherited})
	best := -1
	var names []string
	for _, p := range here {
		if len(p.rest) == 0 {
			if best < 0 || closer(c.rules[p.rule].Path, c.rules[best].Path) {
				best = p.rule
			}
		} else if p.rest[0] != "*" && !slices.Contains(names, p.rest[0]) {
			names = append(names, p.rest[0])
		}
	}
	if best >= 0 {
		inherited = c.part(c.rules[best])
		c.kind.branches[at].part = inherited
	}
	var twigs []twig
	for _, name := range names {
		if c.err != nil {
			return at
		}
		twigs = append(twigs, twig{scan.Fingerprint([]byte(name)), name, c.branch(inherited, follow(here, name))})
	}
	if others := follow(here, "*"); len(others) > 0 && c.err == nil {
		c.kind.branches[at].any = c.branch(inherited, others)
	}
	c.kind.branches[at].plant(twigs)
	return at
}

// follow returns what is left of the patterns that name, or "*", leads into.
func follow(here []pattern, name string) (on []pattern) {
	for _, p := range here {
		if len(p.rest) > 0 && (p.rest[0] == name || p.rest[0] == "*") {
			on = append(on, pattern{p.rule, p.rest[1:]})
		}
	}
	return on
}

// closer says whether path a, as long as b, has a name where b first has a "*" instead.
func closer(a, b string) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range as {
		if (as[i] == "*") != (bs[i] == "*") {
			return bs[i] == "*"
		}
	}
	return false
}

func (c *compiler) part(r Rule) int32 {
	p := Part{r.Category, r.Owner}
	if p.Owner == "" {
		p.Owner = term.OwnerWriter
	}
	i := slices.Index(c.kind.parts, p)
	if i < 0 {
		if i = len(c.kind.parts); i == MaxParts {
			c.err = fault.New(fault.Invalid, "kind.too_many_parts", "%s/%s has more than %d pairs of category and owner", c.kind.Service, c.kind.Name, MaxParts)
			return 0
		}
		c.kind.parts = append(c.kind.parts, p)
	}
	if r.Precise {
		c.kind.precise |= 1 << i
	}
	return int32(i)
}

// plant fills the branch's table, which is at most half full.
func (b *branch) plant(twigs []twig) {
	if len(twigs) == 0 {
		return
	}
	size := bits.Len(uint(2*len(twigs) - 1))
	b.shift, b.table = uint8(64-size), make([]twig, 1<<size)
	for _, t := range twigs {
		i := b.slot(t.print)
		for b.table[i].to != 0 {
			i = (i + 1) & (len(b.table) - 1)
		}
		b.table[i] = t
	}
}

func (b *branch) slot(print uint64) int { return int(print * 0x9e3779b97f4a7c15 >> b.shift) }

// next returns the branch to which the name of node n leads, 0 for none.
func (b *branch) next(d *scan.Doc, n int) int32 {
	if len(b.table) > 0 {
		print := d.Nodes[n].Print
		for i := b.slot(print); b.table[i].to != 0; i = (i + 1) & (len(b.table) - 1) {
			if t := &b.table[i]; t.print == print && (print>>63 == 0 || t.name == string(d.Key(n))) {
				return t.to
			}
		}
	}
	return b.any
}

// Parts returns what the kind's fragments can be, by slot. The first is unclassified.
func (k *Kind) Parts() []Part { return k.parts }

// Knows says whether name occurs in the kind's rules. A nil Kind knows nothing.
func (k *Kind) Knows(name string) bool {
	if k == nil {
		return false
	}
	_, ok := k.words[name]
	return ok || k.plan != nil && k.plan.Knows(name)
}

// Under returns the kind as p judges its events.
func (k *Kind) Under(p Plan) *Kind {
	under := *k
	under.plan = p
	return &under
}
