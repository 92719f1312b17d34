package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/register"
	"domicile.dev/internal/tenant"
)

const tagRegister = "Register and decisions"

// maxRegisterBody bounds a request that adds facts, in bytes.
const maxRegisterBody = 2 << 20

// addRegister adds the calls about what was observed and what is decided by it.
func (a *API) addRegister() {
	if a.opt.Register == nil || a.opt.Decider == nil {
		return
	}
	op := func(method, path, id, summary, doc string) operation {
		return operation{id: id, method: method, path: path, tag: tagRegister, who: managers, summary: summary, doc: doc, errors: []int{403}}
	}
	typed(a, op(http.MethodGet, "/api/v1/register", "list-facts", "List the facts of the register",
		"Those that stand; with history, every act since the first. To a tenant: its own choices and pins."), a.facts)
	add := op(http.MethodPost, "/api/v1/register", "add-facts", "Add facts to the register, all or none",
		"Nothing is edited: a fact takes the place of another, which stays in the history. One that stands word for word is left alone; "+
			"one with the id of a contract or case that stands takes its place. A tenant may enable recipients and object to them, for itself.")
	add.maxBody, add.errors = maxRegisterBody, []int{403, 404, 413}
	typed(a, add, a.addFacts)
	strike := op(http.MethodPost, "/api/v1/register/{fact}:strike", "strike-fact", "Strike a fact, so that it stands no more", "It stays in the history. A pause that is struck lets its flow go on.")
	strike.errors = []int{403, 404}
	typed(a, strike, a.strikeFact)
	typed(a, op(http.MethodGet, "/api/v1/register/due", "list-due", "List what lapses soon, or has: look-ups, certificates, contracts, assessments",
		"For the operator."), a.due)
	a.addDecide()
}

type (
	factBody struct {
		ID       string          `json:"id"`
		Seq      int64           `json:"seq" doc:"its number; numbers have no gaps"`
		Kind     string          `json:"kind" doc:"the list of the register's format: checks, contracts, …"`
		Fact     json.RawMessage `json:"fact,omitempty" doc:"the keys of docs/formats/register.md; missing where a fact was struck"`
		Ends     int64           `json:"ends,omitempty" doc:"seq of the fact that this replaced or struck"`
		Assumed  bool            `json:"assumed,omitempty" doc:"nobody observed it: it came with an example"`
		At       time.Time       `json:"at"`
		By       string          `json:"by" doc:"id of a token, or operator"`
		Entry    string          `json:"entry" doc:"its ledger entry"`
		Already  bool            `json:"already,omitempty" doc:"it stood before the call"`
		Standing bool            `json:"standing" doc:"false where a later one ended it, and of what strikes one"`
	}
	factsBody struct {
		Version string     `json:"version" doc:"sha256:… over all facts that stand; a decision carries it"`
		Seq     int64      `json:"seq" doc:"of the newest act"`
		Facts   []factBody `json:"facts" nullable:"false"`
		Next    int64      `json:"next,omitempty" doc:"give it as after for the next page"`
	}
	newFactBody struct {
		Kind     string          `json:"kind" doc:"checks, contracts, assessments, attestations, enablements, objections, pins, pauses or cases"`
		Fact     json.RawMessage `json:"fact" doc:"the keys of docs/formats/register.md"`
		Replaces string          `json:"replaces,omitempty" doc:"id of the fact whose place it takes"`
		Assumed  bool            `json:"assumed,omitempty" doc:"nobody observed it"`
	}
	newFactsBody struct {
		Facts []newFactBody `json:"facts" minItems:"1" maxItems:"1000"`
	}
	dueBody struct {
		Due []register.Due `json:"due" nullable:"false" doc:"what is over first"`
	}
)

// callerOf is a caller as the register knows it.
func callerOf(c *tenant.Caller) register.Caller {
	if c.Operator {
		return register.Operator
	}
	return register.Caller{Tenant: c.TenantID, By: c.Token}
}

func factOf(r register.Row, standing bool) factBody {
	return factBody{ID: r.ID, Seq: r.Seq, Kind: r.Kind, Fact: json.RawMessage(r.Body), Ends: r.Ends, Assumed: r.Assumed, At: r.At, By: r.By, Entry: r.Entry.String(), Standing: standing}
}

type factsIn struct {
	Kind    string `query:"kind" doc:"only this list"`
	About   string `query:"about" doc:"only what names this entity, recipient, customer, flow or contract, exactly"`
	History bool   `query:"history" doc:"also what doesn't stand any more"`
	After   int64  `query:"after" minimum:"0" doc:"next of the page before"`
	Limit   int    `query:"limit" default:"100" minimum:"1" maximum:"1000"`
}

func (a *API) facts(ctx context.Context, c *tenant.Caller, in *factsIn) (*out[factsBody], error) {
	if in.Kind != "" && !slices.Contains(register.Kinds(), in.Kind) {
		return nil, fault.New(fault.Invalid, "register.unknown_kind", "there is no such list of facts").With("kinds", register.Kinds())
	}
	now, err := a.opt.Register.Facts(ctx, callerOf(c))
	if err != nil {
		return nil, err
	}
	b := factsBody{Version: now.Register.Version, Seq: now.Seq, Facts: []factBody{}}
	stands := make(map[int64]bool, len(now.Facts))
	for _, r := range now.Facts {
		stands[r.Seq] = true
	}
	rows := now.Facts
	if in.History {
		if rows, err = a.opt.Register.History(ctx, callerOf(c), in.After, in.Limit); err != nil {
			return nil, err
		}
		if len(rows) == in.Limit {
			b.Next = rows[len(rows)-1].Seq
		}
	}
	for _, r := range rows {
		if r.Seq <= in.After || in.Kind != "" && r.Kind != in.Kind || in.About != "" && !slices.Contains(r.About(), in.About) {
			continue
		}
		if len(b.Facts) == in.Limit {
			b.Next = b.Facts[len(b.Facts)-1].Seq
			break
		}
		b.Facts = append(b.Facts, factOf(r, stands[r.Seq]))
	}
	return &out[factsBody]{b}, nil
}

func (a *API) addFacts(ctx context.Context, c *tenant.Caller, in *struct{ Body newFactsBody }) (*out[factsBody], error) {
	facts := make([]register.New, len(in.Body.Facts))
	for i, f := range in.Body.Facts {
		line, err := register.ParseLine(f.Kind, f.Fact)
		if err != nil {
			if known, ok := fault.As(err); ok {
				return nil, known.With("index", i)
			}
			return nil, err
		}
		facts[i] = register.New{Line: line, Replaces: f.Replaces, Assumed: f.Assumed}
	}
	added, err := a.opt.Register.Add(ctx, callerOf(c), facts...)
	if err != nil {
		return nil, err
	}
	b, err := a.standing(ctx, c)
	if err != nil {
		return nil, err
	}
	for _, x := range added {
		f := factOf(x.Row, true)
		f.Already = x.Already
		b.Facts = append(b.Facts, f)
	}
	return &out[factsBody]{b}, nil
}

func (a *API) strikeFact(ctx context.Context, c *tenant.Caller, in *struct {
	Fact string `path:"fact"`
}) (*out[factsBody], error) {
	row, err := a.opt.Register.Strike(ctx, callerOf(c), in.Fact)
	if err != nil {
		return nil, err
	}
	b, err := a.standing(ctx, c)
	b.Facts = append(b.Facts, factOf(row, false))
	return answered(b, err)
}

// standing is the version after a change, which is read anew.
func (a *API) standing(ctx context.Context, c *tenant.Caller) (factsBody, error) {
	now, err := a.opt.Register.Facts(ctx, callerOf(c))
	if err != nil {
		return factsBody{}, err
	}
	return factsBody{Version: now.Register.Version, Seq: now.Seq, Facts: []factBody{}}, nil
}

func (a *API) due(ctx context.Context, c *tenant.Caller, in *struct {
	Within int `query:"within" default:"30" minimum:"1" maximum:"3660" doc:"days"`
}) (*out[dueBody], error) {
	all, err := a.opt.Decider.Due(ctx, c, in.Within)
	if all == nil {
		all = []register.Due{}
	}
	return answered(dueBody{all}, err)
}
