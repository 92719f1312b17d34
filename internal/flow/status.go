package flow

import (
	"context"
	"fmt"
	"slices"
	"time"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/id"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/store"
	"domicile.dev/internal/tenant"
)

// View is a flow as its operator or a tenant sees it.
type View struct {
	Flow    *programme.Flow
	State   State  // for tenants who come later; to a tenant the state of their own
	Form    string // the most that some kind may leave as; none while everything is denied
	Reasons []decision.Reason
	Passed  []decision.Reason // mechanisms that don't hold where Reasons deny, and why
	Fields  []FieldView
	Tenants []StreamView
}

// FieldView is one element that leaves, as far as the flow as such goes.
type FieldView struct {
	Service, Kind, Path, Category string
	Form, Mechanism, Fallback     string
	Mark                          string // how well the worst known rule of law is known that it rests on
	Review                        string // the first day on which that may not hold any more
}

// StreamView is where a flow stands for one tenant.
type StreamView struct {
	Tenant  string
	Stream  Stream
	LagRows uint64
	Lag     time.Duration
	Error   string // reason code of what is in the way
	Batch   *Batch // unfinished
	Records []id.Record
	Refused []RefusedRecord // single ones, at most mostShown
	Counts  []Count         // of the last 30 days
}

// mostShown bounds how many refused records a view names.
const mostShown = 100

// countDays is how far back a view counts.
const countDays = 30

// List returns the flows out of this region, in the programme's order, as the caller may see them.
func (r *Runner) List(ctx context.Context, c *tenant.Caller) ([]View, error) {
	e := r.Rules.Engine()
	var out []View
	p := e.Programme()
	for i := range p.Flows {
		if f := &p.Flows[i]; f.From == r.Region {
			out = append(out, r.declared(e, f))
		}
	}
	return out, r.fill(ctx, c, out)
}

// Show returns one flow with its fields. Faults: NotFound flow.unknown.
func (r *Runner) Show(ctx context.Context, c *tenant.Caller, flow string) (View, error) {
	e := r.Rules.Engine()
	f := flowOf(e.Programme(), flow)
	if f == nil || f.From != r.Region {
		return View{}, unknownFlow(flow)
	}
	v := r.declared(e, f)
	if v.Form != decision.None.String() {
		v.fields(e, r.now())
	}
	one := []View{v}
	err := r.fill(ctx, c, one)
	return one[0], err
}

// declared is what the programme and the decisions say of a flow.
func (r *Runner) declared(e *decision.Engine, f *programme.Flow) View {
	v := View{Flow: f, State: Idle, Form: decision.None.String()}
	best := decision.None
	for _, a := range e.Answers(f.ID, r.now()) {
		if a.Decision.Allowed {
			best = min(best, a.Decision.Form)
			continue
		}
		for _, d := range a.Decision.Reasons {
			same := func(x decision.Reason) bool { return x.Code == d.Code && x.Policy == d.Policy && x.Says == d.Says }
			switch {
			case d.Effect == decision.Denies && !slices.ContainsFunc(v.Reasons, same):
				v.Reasons = append(v.Reasons, d)
			case d.Effect == decision.PassedOver && !slices.ContainsFunc(v.Passed, same):
				v.Passed = append(v.Passed, d)
			}
		}
	}
	if r.Drifts != nil {
		for _, code := range r.Drifts(f.ID) { // which halts it whatever is decided
			best = decision.None
			v.Reasons = append(v.Reasons, decision.Reason{Effect: decision.Denies, Code: code, Policy: "published", Says: "the published notice doesn't say what the flow does: domicile drift"})
		}
	}
	v.Form = best.String()
	return v
}

// fields lists the elements that leave.
func (v *View) fields(e *decision.Engine, now time.Time) {
	for _, a := range e.Answers(v.Flow.ID, now) {
		d := a.Decision
		if !d.Allowed {
			continue
		}
		var dropped []string
		for _, o := range d.Obligations {
			if o.Do == "drop" {
				dropped = o.What
			}
		}
		for _, x := range e.Programme().Rules(a.Service, a.Kind) {
			if slices.Contains(a.Categories, x.Category) && !slices.Contains(dropped, x.Category) {
				v.Fields = append(v.Fields, FieldView{a.Service, a.Kind, x.Path, x.Category, d.Form.String(), d.Mechanism, d.Fallback, d.Mark(), string(d.Review)})
			}
		}
	}
}

// fill adds where the flows stand: for the operator everybody, for a tenant their own.
func (r *Runner) fill(ctx context.Context, c *tenant.Caller, views []View) error {
	var see []Tenant
	for _, t := range r.Tenants() {
		if c.Operator || t.No == c.Tenant {
			see = append(see, t)
		}
	}
	return r.DB.View(ctx, func(tx store.Tx) error {
		for i := range views {
			views[i].Tenants = nil
			if err := r.standing(tx, c, see, &views[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r *Runner) standing(tx store.Tx, c *tenant.Caller, see []Tenant, v *View) error {
	all, err := r.Store.Stream(tx, Key{0, v.Flow.ID})
	if err != nil {
		return err
	}
	if all != nil {
		v.State = all.State
	}
	one := uint32(0)
	if !c.Operator {
		one = c.Tenant
	}
	counts, err := r.Store.Counts(tx, one, r.now().UTC().AddDate(0, 0, -countDays).Format(time.DateOnly))
	if err != nil {
		return err
	}
	nos := make([]uint32, len(see))
	for i, t := range see {
		nos[i] = t.No
	}
	newest, err := r.Store.Newest(tx, nos)
	if err != nil {
		return err
	}
	for i, t := range see {
		s, err := r.Store.Stream(tx, Key{t.No, v.Flow.ID})
		if err != nil {
			return err
		}
		if s == nil {
			continue
		}
		x := StreamView{Tenant: t.ID, Stream: *s}
		x.LagRows, x.Lag = lag(s, newest[i], r.now())
		for _, n := range counts {
			if n.Key == s.Key {
				x.Counts = append(x.Counts, n)
			}
		}
		if err := r.underWay(tx, &x); err != nil {
			return err
		}
		if !c.Operator {
			v.State = s.State
		}
		v.Tenants = append(v.Tenants, x)
	}
	return nil
}

// underWay adds the unfinished batch, and what is in the way.
func (r *Runner) underWay(tx store.Tx, x *StreamView) (err error) {
	if x.Batch, err = r.Store.Batch(tx, x.Stream.Key); err != nil {
		return err
	}
	if x.Batch != nil {
		x.Error = x.Batch.Error
		if x.Records, err = UnpackRecords(x.Batch.Records); err != nil {
			return fmt.Errorf("read the batch of %s: %w", x.Stream.Flow, err)
		}
	}
	if x.Refused, err = r.Store.Refused(tx, x.Stream.Key, mostShown); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if st := r.streams[x.Stream.Key]; st != nil && st.failed != "" {
		x.Error = st.failed
	}
	return nil
}
