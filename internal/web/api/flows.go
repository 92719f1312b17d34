package api

import (
	"context"
	"net/http"
	"time"

	"domicile.dev/internal/flow"
	"domicile.dev/internal/tenant"
)

// Flows runs the flows out of this region.
type Flows interface {
	List(ctx context.Context, c *tenant.Caller) ([]flow.View, error)
	Show(ctx context.Context, c *tenant.Caller, id string) (flow.View, error)
	Do(ctx context.Context, c *tenant.Caller, o flow.Order) (flow.View, error)
}

const tagFlows = "Flows"

// addFlows adds the calls about what leaves the region.
func (a *API) addFlows() {
	if a.opt.Flows == nil {
		return
	}
	const one = "/api/v1/flows/{flow}"
	op := func(method, path, id, summary, doc string, errors ...int) operation {
		return operation{id: id, method: method, path: path, tag: tagFlows, who: managers, summary: summary, doc: doc, errors: errors}
	}
	typed(a, op(http.MethodGet, "/api/v1/flows", "list-flows", "List the flows out of this region", "A tenant sees where they stand for itself, the operator for everybody."), a.listFlows)
	typed(a, op(http.MethodGet, one, "get-flow", "Show a flow", "Which fields leave, in which form and under which mechanism, and where it stands.", 404), a.getFlow)
	for _, v := range []struct{ verb, summary, doc string }{
		{"start", "Start a flow", "At the newest position, unless from says another. Without a tenant, for all, and for those who come later."},
		{"pause", "Pause a flow", "What is on its way ends as it would have; the cursor stays."},
		{"resume", "Resume a paused flow", "At once, also after failed attempts."},
		{"replay", "Set a flow's cursor", "To a position, a date or a time of receipt. What lies from there on is decided anew."},
		{"retry", "Try a parked batch again", "Under the id that it had, from what is in the store now."},
		{"skip", "Give a parked batch up", "The flow goes on behind it. What is given up is in the ledger."},
	} {
		typed(a, op(http.MethodPost, one+":"+v.verb, v.verb+"-flow", v.summary, v.doc+" For the operator.", 403, 404, 409), a.orderFlow(flow.Verb(v.verb)))
	}
}

type (
	flowIn struct {
		Flow string `path:"flow"`
	}
	flowOrderIn struct {
		Flow string         `path:"flow"`
		Body *flowOrderBody `required:"false"`
	}
	flowOrderBody struct {
		Tenant string `json:"tenant,omitempty" doc:"only for this one"`
		From   string `json:"from,omitempty" doc:"start, replay: a position, a date or a time" example:"2026-11-25"`
	}
	flowsBody struct {
		Flows []flowBody `json:"flows" nullable:"false"`
	}
	flowBody struct {
		ID        string           `json:"id"`
		Name      string           `json:"name,omitempty"`
		From      string           `json:"from"`
		Recipient string           `json:"recipient"`
		Purpose   string           `json:"purpose"`
		Asks      string           `json:"asks" enum:"clear,pseudonymised,aggregated" doc:"the most that it asks for"`
		Form      string           `json:"form" enum:"clear,pseudonymised,aggregated,none" doc:"the most that some kind may leave as today"`
		State     string           `json:"state" enum:"idle,running,paused,halted,parked" doc:"to a tenant its own; to the operator that for tenants who come later"`
		Reasons   []flowReasonBody `json:"reasons,omitempty" doc:"what denies kinds of it"`
		Passed    []flowReasonBody `json:"passed_over,omitempty" doc:"mechanisms that don't hold for those kinds, and why"`
		Fields    []flowFieldBody  `json:"fields,omitempty" doc:"what leaves; of one flow only"`
		Tenants   []flowTenantBody `json:"tenants" nullable:"false"`
	}
	flowReasonBody struct {
		Code string `json:"code"`
		Says string `json:"says"`
		At   string `json:"at,omitempty"`
	}
	flowFieldBody struct {
		Service   string `json:"service"`
		Kind      string `json:"kind"`
		Path      string `json:"path"`
		Category  string `json:"category"`
		Form      string `json:"form"`
		Mechanism string `json:"mechanism,omitempty"`
		Fallback  string `json:"fallback,omitempty"`
		Mark      string `json:"mark,omitempty" doc:"how well the worst known rule of law is known that it rests on: P, S, or M from memory"`
		Review    string `json:"review,omitempty" doc:"the first day on which that may not hold any more"`
	}
	flowTenantBody struct {
		Tenant       string           `json:"tenant"`
		State        string           `json:"state"`
		Since        time.Time        `json:"since"`
		Position     uint64           `json:"position" doc:"rows of the log up to here are done with"`
		Window       *time.Time       `json:"window,omitempty" doc:"end of the last window that is done with"`
		LagPositions uint64           `json:"lag_positions"`
		LagSeconds   int64            `json:"lag_seconds"`
		Sequence     uint64           `json:"sequence" doc:"of the last batch that was begun"`
		SentAt       *time.Time       `json:"sent_at,omitempty"`
		Entry        string           `json:"entry,omitempty" doc:"the last ledger entry about it"`
		Halted       string           `json:"halted,omitempty" doc:"codes of what halts it"`
		Error        string           `json:"error,omitempty" doc:"reason code of what is in the way"`
		Batch        *flowBatchBody   `json:"batch,omitempty" doc:"begun and not ended"`
		Sent         map[string]int64 `json:"sent" nullable:"false" doc:"records of the last 30 days, by form"`
		Refused      map[string]int64 `json:"refused,omitempty" doc:"single records that the recipient refused for good in the last 30 days, by its reason; the rest of their batches arrived"`
		Parked       []string         `json:"parked,omitempty" doc:"ids of the first hundred of them that it hasn't taken since; a replay sends them again"`
		Denied       map[string]int64 `json:"denied" nullable:"false" doc:"what was left out in the last 30 days, once for each record and person, by code"`
	}
	flowBatchBody struct {
		ID      string     `json:"id"`
		Attempt int        `json:"attempt"`
		Records int        `json:"records"`
		Begun   time.Time  `json:"begun_at"`
		Next    *time.Time `json:"next_at,omitempty"`
		Parked  []string   `json:"parked,omitempty" doc:"ids of the records in a parked batch"`
		From    *time.Time `json:"window_from,omitempty" doc:"of counts: the window that they are of"`
		Until   *time.Time `json:"window_until,omitempty"`
		Mend    string     `json:"mend,omitempty" doc:"what can be done about a window that isn't given by itself"`
	}
)

func flowOf(v *flow.View) flowBody {
	b := flowBody{ID: v.Flow.ID, Name: v.Flow.Name, From: v.Flow.From, Recipient: v.Flow.To, Purpose: v.Flow.Purpose, Asks: v.Flow.Form, Form: v.Form,
		State: string(v.State), Tenants: make([]flowTenantBody, len(v.Tenants))}
	for _, r := range v.Reasons {
		b.Reasons = append(b.Reasons, flowReasonBody{r.Code, r.Says, r.At})
	}
	for _, r := range v.Passed {
		b.Passed = append(b.Passed, flowReasonBody{r.Code, r.Says, r.At})
	}
	for _, f := range v.Fields {
		b.Fields = append(b.Fields, flowFieldBody(f))
	}
	for i := range v.Tenants {
		b.Tenants[i] = flowTenantOf(&v.Tenants[i])
	}
	return b
}

func flowTenantOf(x *flow.StreamView) flowTenantBody {
	s := &x.Stream
	t := flowTenantBody{Tenant: x.Tenant, State: string(s.State), Since: time.UnixMilli(s.Since).UTC(), Position: s.Pos, Window: msTime(s.Window), LagPositions: x.LagRows,
		LagSeconds: int64(x.Lag.Seconds()), Sequence: s.Seq, SentAt: msTime(s.SentAt), Halted: s.Reasons, Error: x.Error, Sent: map[string]int64{}, Denied: map[string]int64{}}
	if s.Entry != [12]byte{} {
		t.Entry = s.Entry.String()
	}
	for _, n := range x.Counts {
		switch n.What {
		case "records":
			t.Sent[n.Of] += n.N
		case "refused":
			if t.Refused == nil {
				t.Refused = map[string]int64{}
			}
			t.Refused[n.Of] += n.N
		case "denied":
			t.Denied[n.Of] += n.N
		}
	}
	for _, r := range x.Refused {
		t.Parked = append(t.Parked, r.Record.String())
	}
	if b := x.Batch; b != nil {
		t.Batch = &flowBatchBody{ID: b.ID, Attempt: b.Attempt, Records: b.Count, Begun: time.UnixMilli(b.BegunAt).UTC(), Next: msTime(b.NextAt),
			From: msTime(b.WindowFrom), Until: msTime(b.WindowUntil)}
		if s.State == flow.Parked {
			t.Batch.Mend = b.Mend()
		}
		for _, r := range x.Records {
			t.Batch.Parked = append(t.Batch.Parked, r.String())
		}
	}
	return t
}

// msTime is nil for no time.
func msTime(ms int64) *time.Time {
	if ms == 0 {
		return nil
	}
	t := time.UnixMilli(ms).UTC()
	return &t
}

func (a *API) listFlows(ctx context.Context, c *tenant.Caller, _ *struct{}) (*out[flowsBody], error) {
	all, err := a.opt.Flows.List(ctx, c)
	if err != nil {
		return nil, err
	}
	b := flowsBody{Flows: make([]flowBody, len(all))}
	for i := range all {
		b.Flows[i] = flowOf(&all[i])
	}
	return &out[flowsBody]{b}, nil
}

func (a *API) getFlow(ctx context.Context, c *tenant.Caller, in *flowIn) (*out[flowBody], error) {
	v, err := a.opt.Flows.Show(ctx, c, in.Flow)
	if err != nil {
		return nil, err
	}
	return &out[flowBody]{flowOf(&v)}, nil
}

func (a *API) orderFlow(v flow.Verb) func(context.Context, *tenant.Caller, *flowOrderIn) (*out[flowBody], error) {
	return func(ctx context.Context, c *tenant.Caller, in *flowOrderIn) (*out[flowBody], error) {
		o := flow.Order{Flow: in.Flow, Verb: v}
		if in.Body != nil {
			o.Tenant, o.From = in.Body.Tenant, in.Body.From
		}
		x, err := a.opt.Flows.Do(ctx, c, o)
		if err != nil {
			return nil, err
		}
		return &out[flowBody]{flowOf(&x)}, nil
	}
}
