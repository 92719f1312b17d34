package law

import (
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"domicile.dev/internal/programme"
)

//go:embed profiles
var embedded embed.FS

// Builtin returns the profiles in the binary.
var Builtin = sync.OnceValue(func() *Book {
	sub, err := fs.Sub(embedded, "profiles")
	if err == nil {
		var b *Book
		if b, err = load(nil, sub, ".yaml", "law/"); err == nil {
			return b
		}
	}
	panic("law: " + err.Error()) // the tests load them
})

// Suffix ends the names of an operator's own profiles, in a programme's folder.
const Suffix = ".law.yaml"

// Load returns the profiles in the binary, and in place of those with the same id the ones in fsys:
// files that end in .law.yaml. The error is programme.Faults when a file is faulty.
func Load(fsys fs.FS) (*Book, error) { return load(Builtin(), fsys, Suffix, "") }

func load(base *Book, fsys fs.FS, suffix, shown string) (*Book, error) {
	var names []string
	err := fs.WalkDir(fsys, ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(e.Name(), "."):
			if e.IsDir() {
				return fs.SkipDir
			}
		case !e.IsDir() && strings.HasSuffix(name, suffix):
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the laws: %w", err)
	}
	if base != nil && len(names) == 0 {
		return base, nil
	}
	var faults programme.Faults
	sum := sha256.New()
	byID, from := map[string]*Profile{}, map[string]string{}
	if base != nil {
		for _, p := range base.profiles {
			byID[p.ID] = p
		}
		sum.Write([]byte(base.Version))
	}
	for _, name := range names {
		src, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		sum.Write(src)
		p, err := Parse(shown+path.Base(name), src)
		var fs programme.Faults
		if errors.As(err, &fs) {
			faults = append(faults, fs...)
			continue
		}
		if first := from[p.ID]; first != "" {
			faults = append(faults, programme.Fault{File: p.file, Line: 1, Column: 1, Code: programme.CodeInconsistent,
				Message: fmt.Sprintf("the profile %s is in %s, too", p.ID, first), Suggestion: "keep one of them"})
		}
		byID[p.ID], from[p.ID] = p, name
	}
	b := &Book{Version: "sha256:" + hex.EncodeToString(sum.Sum(nil))}
	for _, p := range byID {
		b.profiles = append(b.profiles, p)
	}
	slices.SortFunc(b.profiles, func(x, y *Profile) int { return cmp.Compare(x.ID, y.ID) })
	if faults = append(faults, b.contradictions(base)...); len(faults) > 0 {
		return nil, faults
	}
	b.index()
	return b, nil
}

// contradictions are what only all profiles together show.
func (b *Book) contradictions(base *Book) (faults programme.Faults) {
	countries, rules := map[string]*Profile{}, map[string]*Rule{}
	fault := func(at programme.Position, message, hint string) {
		faults = append(faults, programme.Fault{File: at.File, Line: at.Line, Column: max(at.Column, 1), Code: programme.CodeInconsistent, Message: message, Suggestion: hint})
	}
	for _, p := range b.profiles {
		for _, c := range p.Countries {
			if first := countries[c]; first != nil {
				fault(p.Place(), fmt.Sprintf("%s is in the profiles %s and %s", c, first.ID, p.ID), "one country has one profile: give yours the id of the one it replaces")
			}
			countries[c] = p
		}
		for i := range p.Rules {
			r := &p.Rules[i]
			if rules[r.ID] != nil {
				fault(r.place, fmt.Sprintf("the rule %s is in two profiles", r.ID), "rename one of them")
			}
			rules[r.ID] = r
		}
	}
	for _, p := range b.profiles {
		if base != nil && slices.Contains(base.profiles, p) {
			continue // the operator's own took away what it stood on: it falls
		}
		for i := range p.Rules {
			if r := &p.Rules[i]; r.StandsOn != "" && rules[r.StandsOn] == nil {
				fault(r.place, fmt.Sprintf("%s stands on %s, which is no rule", r.ID, r.StandsOn), "")
			}
		}
	}
	return faults
}

// Parse reads one profile, strictly. The error is programme.Faults.
func Parse(file string, src []byte) (*Profile, error) {
	p := &Profile{file: file}
	doc := programme.ReadDocument(file, "profile", src, p)
	for i := range p.Rules {
		r := &p.Rules[i]
		r.place = doc.Position(r)
		r.at = r.place.String()
		for _, w := range r.wants() {
			doc.Fault(r, w.key, w.message, w.hint)
		}
	}
	if err := doc.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

type want struct{ key, message, hint string }

// wants says what a rule of its kind lacks, without which it would hold for everybody, and what it has
// that nobody would ask for.
func (r *Rule) wants() (out []want) {
	lacks := func(missing bool, key, message string) {
		if missing {
			out = append(out, want{key, fmt.Sprintf("a rule of kind %s %s", r.Kind, message), "see docs/law.md"})
		}
	}
	places := len(r.Countries) == 0
	switch r.Kind {
	case Within, Adequacy, Localisation:
		lacks(places, "countries", "names its countries")
	case DPF:
		lacks(places, "countries", "names its countries")
		lacks(r.Row == "", "row", "names the row of the directory")
		lacks(r.CheckDays == 0, "check_days", "says how long a look-up is good for")
	case BCR:
		lacks(r.Scheme == "", "scheme", "says which rules it is about")
		lacks(r.Role == "", "role", "says the role that it covers")
	case CBPR:
		lacks(len(r.Schemes) == 0, "schemes", "names the certificates that are recognised")
		lacks(r.CheckDays == 0, "check_days", "says how long a look-up is good for")
	}
	out = append(out, r.idle()...)
	lacks(r.From != "" && r.Until != "" && r.Until < r.From, "until", "ends after it begins")
	return out
}

// idle are the keys that rules of another kind have: here they would look as if they limited something.
func (r *Rule) idle() (out []want) {
	says := func(has bool, key string, kinds ...string) {
		if has && !slices.Contains(kinds, r.Kind) {
			out = append(out, want{key, fmt.Sprintf("a rule of kind %s takes no %s: nothing would ask for it", r.Kind, key), "see docs/law.md"})
		}
	}
	mechanisms := []string{Adequacy, DPF, BCR, SCC, IDTA, BrazilSCC, CBPR, Contract, Derogation}
	says(len(r.Categories) > 0, "categories", Localisation)
	says(r.Limit != "", "limit", Adequacy)
	says(r.Row != "", "row", DPF)
	says(r.BaseRow != "", "base_row", DPF)
	says(r.Scheme != "", "scheme", BCR)
	says(r.Role != "", "role", BCR)
	says(r.For != "", "for", CBPR)
	says(len(r.Schemes) > 0, "schemes", CBPR)
	says(r.CheckDays != 0, "check_days", DPF, CBPR)
	says(len(r.Needs) > 0, "needs", mechanisms...)
	says(slices.Contains(r.Needs, NeedSwissChanges), "needs", SCC)
	says(r.FallbackWanted, "fallback_wanted", mechanisms...)
	says(r.StandsOn != "", "stands_on", append(mechanisms, Within, Free, Anonymous)...)
	return out
}
