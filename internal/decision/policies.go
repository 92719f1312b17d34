package decision

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"

	cedar "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/programme"
)

// ownPrefix begins the ids of the operator's own policies.
const ownPrefix = "own/"

// Policies are the operator's own Cedar policies: forbids, over the same requests as the compiled
// ones. They are kept by what their heads name, so that a question meets only those that may be
// about it: an engine's cost grows with its policies.
type Policies struct {
	// Version is "sha256:" and the hex of a SHA-256 over the files.
	Version string

	byData      map[types.EntityUID][]*own // resource ==, in
	byRecipient map[types.EntityUID][]*own // any resource; principal ==, in
	rest        []*own
	ids         map[cedar.PolicyID]string // where each id stands
	named       []Stray                   // what heads name
}

type own struct {
	id     cedar.PolicyID
	policy *cedar.Policy
	reason Reason
}

// LoadPolicies reads the *.cedar files of a programme's folder; nil when there are none.
//
// They may only forbid, and a head that no request can have is a fault: such a policy would look as if it
// protected something. What a programme doesn't declare is denied whatever a policy says, so a
// permit would promise what it can't keep: it is a fault of kind Invalid.
func LoadPolicies(fsys fs.FS) (*Policies, error) {
	p := &Policies{byData: map[types.EntityUID][]*own{}, byRecipient: map[types.EntityUID][]*own{}, ids: map[cedar.PolicyID]string{}}
	sum := sha256.New()
	err := fs.WalkDir(fsys, ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && name != "." && strings.HasPrefix(e.Name(), "."):
			return fs.SkipDir
		case e.IsDir() || path.Ext(name) != ".cedar" || strings.HasPrefix(e.Name(), "."):
			return nil
		}
		src, err := fs.ReadFile(fsys, name)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		sum.Write(src)
		return p.add(name, src)
	})
	if err != nil {
		return nil, err
	}
	if len(p.ids) == 0 {
		return nil, nil
	}
	p.Version = "sha256:" + hex.EncodeToString(sum.Sum(nil))
	return p, nil
}

func (p *Policies) add(name string, src []byte) error {
	list, err := cedar.NewPolicyListFromBytes(name, src)
	if err != nil {
		return fault.New(fault.Invalid, "policy.faulty", "%s is no Cedar that can be read", name+lineIn(err)).Because(err)
	}
	for n, x := range list {
		place := fmt.Sprintf("%s:%d", name, x.Position().Line)
		if x.Effect() != cedar.Forbid {
			return fault.New(fault.Invalid, "policy.permits", "%s permits, and only the programme can", place).
				WithHint("declare the flow in the programme; policies may only forbid")
		}
		head := (*ast.Policy)(x.AST())
		if why := never(head); why != "" {
			return fault.New(fault.Invalid, "policy.never", "%s can never forbid: %s", place, why).WithHint("docs/formats/decision.md says what a request has")
		}
		p.named = append(p.named, namedBy(head, name, x.Position().Line)...)
		notes := x.Annotations()
		o := &own{policy: x, reason: Reason{Effect: Denies, Code: "policy.forbids", At: place}}
		o.id = cedar.PolicyID(fmt.Sprintf("%s%s#%d", ownPrefix, name, n))
		if id := string(notes["id"]); id != "" {
			o.id = cedar.PolicyID(ownPrefix + id)
		}
		o.reason.Policy = string(o.id)
		o.reason.Says = cmp.Or(string(notes["says"]), "a policy of the operator's forbids it")
		if first := p.ids[o.id]; first != "" {
			return fault.New(fault.Invalid, "policy.twice", "%s has the id of the policy at %s", place, first).WithHint("give it another @id")
		}
		p.ids[o.id] = place
		p.place(o, head)
	}
	return nil
}

// place puts a policy where questions will look for it. One about other actions is about none.
func (p *Policies) place(o *own, x *ast.Policy) {
	switch s := x.Action.(type) {
	case ast.ScopeTypeEq:
		if s.Entity != transfer {
			return
		}
	case ast.ScopeTypeInSet:
		if !slices.Contains(s.Entities, transfer) {
			return
		}
	}
	if e, ok := named1(x.Resource); ok {
		p.byData[e] = append(p.byData[e], o)
		return
	}
	if e, ok := named1(x.Principal); ok {
		p.byRecipient[e] = append(p.byRecipient[e], o)
		return
	}
	p.rest = append(p.rest, o)
}

// named1 returns the one entity that a head names.
func named1(scope any) (types.EntityUID, bool) {
	switch s := scope.(type) {
	case ast.ScopeTypeEq:
		return s.Entity, true
	case ast.ScopeTypeIn:
		return s.Entity, true
	case ast.ScopeTypeIsIn:
		return s.Entity, true
	}
	return types.EntityUID{}, false
}

// chosen are the policies that may be about one request.
type chosen []*own

// All yields them for Cedar.
func (c chosen) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for _, o := range c {
			if !yield(o.id, o.policy) {
				return
			}
		}
	}
}

func (p *Policies) choose(r *request) chosen {
	out := append(make(chosen, 0, 16), p.rest...)
	out = append(out, p.byData[r.data.UID]...)
	for _, e := range r.dataIn {
		out = append(out, p.byData[e]...)
	}
	out = append(out, p.byRecipient[r.recipient.UID]...)
	for _, e := range r.recipientIn {
		out = append(out, p.byRecipient[e]...)
	}
	return out
}

// forbids returns why policies of the operator's forbid it. One that can't be judged forbids, too: in
// Cedar it would be passed over.
func (p *Policies) forbids(prog *programme.Programme, pl *plan, w *world, s *seen) (out []Reason) {
	r := ask(prog, pl, w, s)
	c := p.choose(r)
	if len(c) == 0 {
		return nil
	}
	_, diag := cedar.Authorize(c, &r.entities, r.Request)
	for _, x := range c {
		for _, d := range diag.Reasons {
			if d.PolicyID == x.id {
				out = append(out, x.reason)
			}
		}
		for _, d := range diag.Errors {
			if d.PolicyID == x.id {
				bad := x.reason
				bad.Code, bad.Seen = "policy.unjudged", d.Message
				out = append(out, bad)
			}
		}
	}
	return out
}
