package api_test

import (
	"context"
	"strings"
	"testing"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/flow"
	"domicile.dev/internal/id"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/tenant"
)

// flows answers with one flow that has everything a flow can have, and keeps what was ordered.
type flows struct{ orders []flow.Order }

var aFlow = flow.View{Flow: &programme.Flow{ID: "counts", From: "ie1", To: "sp-1", Purpose: "why", Form: "clear"}, State: flow.Running, Form: "pseudonymised",
	Reasons: []decision.Reason{{Code: "contract.missing", Says: "there is none", At: "flows.yaml:1"}},
	Passed:  []decision.Reason{{Code: "tia.missing", Says: "nobody assessed it", At: "mechanisms.yaml:2"}},
	Fields:  []flow.FieldView{{Service: "messaging", Kind: "message", Path: "from", Category: "contact", Form: "pseudonymised", Mechanism: "scc", Review: "2027-01-01"}},
	Tenants: []flow.StreamView{{Tenant: "acme", Stream: flow.Stream{State: flow.Parked, Pos: 7, Seq: 2, SentAt: 1, Window: 1, Entry: id.NewEntry(), Reasons: "x"}, Error: "recipient.refused",
		Batch: &flow.Batch{ID: "dlv_a", Attempt: 1, Count: 1, NextAt: 5, WindowFrom: 3_600_000, WindowUntil: 7_200_000, Error: "form.window_full"}, Records: []id.Record{{Ordinal: 1}}, Refused: []flow.RefusedRecord{{Record: id.Record{Ordinal: 2}, Delivery: "dlv_b", At: 1}},
		Counts: []flow.Count{{What: "records", Of: "clear", N: 3}, {What: "denied", Of: "subject.restricted", N: 2}, {What: "deliveries", Of: "clear", N: 1}, {What: "refused", Of: "record.bad_id", N: 4}}}}}

func (f *flows) List(context.Context, *tenant.Caller) ([]flow.View, error) {
	return []flow.View{aFlow}, nil
}

func (f *flows) Show(_ context.Context, _ *tenant.Caller, id string) (flow.View, error) {
	if id != "counts" {
		return flow.View{}, fault.New(fault.NotFound, "flow.unknown", "there is none")
	}
	return aFlow, nil
}

func (f *flows) Do(_ context.Context, c *tenant.Caller, o flow.Order) (flow.View, error) {
	if !c.Operator {
		return flow.View{}, fault.New(fault.Forbidden, "operator.only", "only the operator")
	}
	f.orders = append(f.orders, o)
	return aFlow, nil
}

func (*flows) Notices(_ context.Context, c *tenant.Caller) ([]flow.Notice, error) {
	if c.Operator {
		return nil, nil
	}
	return []flow.Notice{{ID: id.Subject{1}, Tenant: c.Tenant, Kind: flow.NoticeErasure, Recipient: "sp-1", Receipt: "rcp_a", Count: 1, State: flow.NoticePending,
		MadeAt: 1, NextAt: 2, ExpiresAt: 3, Entry: id.NewEntry()}}, nil
}

func (*flows) TenantID(uint32) string { return "acme" }

func TestNoticesAreListedWithoutWhomTheyAreAbout(t *testing.T) {
	w := newWorld(t)
	a := w.do("GET", "/api/v1/notices", "")
	for _, want := range []string{`"id":"ntc_ae`, `"state":"pending"`, `"receipt":"rcp_a"`, `"tenant":"acme"`, `"next_at":"1970`} {
		if a.status != 200 || !strings.Contains(string(a.body), want) {
			t.Errorf("no %s in %d %s", want, a.status, a.body)
		}
	}
	if strings.Contains(string(a.body), "sub_") {
		t.Errorf("somebody is named: %s", a.body)
	}
	if a := w.do("GET", "/api/v1/notices", "", "Authorization", "Bearer "+operatorToken); a.status != 200 || string(a.body) != `{"notices":[]}`+"\n" && string(a.body) != `{"notices":[]}` {
		t.Errorf("the operator: %d %s", a.status, a.body)
	}
}

func TestFlowsAreShownAndOrdered(t *testing.T) {
	w := newWorld(t)
	a := w.do("GET", "/api/v1/flows/counts", "")
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	for _, want := range []string{`"denied":{"subject.restricted":2}`, `"sent":{"clear":3}`, `"parked":["rec_`, `"refused":{"record.bad_id":4},"parked":["rec_`, `"state":"parked"`, `"mechanism":"scc"`, `"window_from":"1970-01-01T01:00:00Z","window_until":"1970-01-01T02:00:00Z","mend":"the window has more`, `"position":7`} {
		if !strings.Contains(string(a.body), want) {
			t.Errorf("no %s in %s", want, a.body)
		}
	}
	if a := w.do("GET", "/api/v1/flows/other", ""); a.status != 404 {
		t.Errorf("another flow: %d", a.status)
	}
	if a := w.do("POST", "/api/v1/flows/counts:pause", ""); a.status != 403 {
		t.Errorf("a tenant pauses: %d", a.status)
	}
	operator := []string{"Authorization", "Bearer " + operatorToken}
	for _, v := range []string{"start", "pause", "resume", "replay", "retry", "skip"} {
		body := ""
		if v == "replay" {
			body = `{"tenant":"acme","from":"2026-11-25"}`
		}
		if a := w.do("POST", "/api/v1/flows/counts:"+v, body, operator...); a.status != 200 {
			t.Errorf("%s: %d %s", v, a.status, a.body)
		}
	}
	if n := len(w.moves.flows.orders); n != 6 || w.moves.flows.orders[3] != (flow.Order{Flow: "counts", Verb: flow.Replay, Tenant: "acme", From: "2026-11-25"}) {
		t.Errorf("orders %+v", w.moves.flows.orders)
	}
}
