package app

import (
	"context"
	"time"

	"domicile.dev/internal/id"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/web/api"
)

// service is the plane as the API knows it.
type service struct{ *plane.Plane }

var _ api.Service = service{}

func (s service) Find(ctx context.Context, c *tenant.Caller, ids []api.Identifier) (api.Found, error) {
	list := make([]plane.Identifier, len(ids))
	for i := range ids {
		list[i] = plane.Identifier(ids[i])
	}
	r, err := s.Plane.Find(ctx, c, list)
	return api.Found(r), err
}

func (s service) Subject(ctx context.Context, c *tenant.Caller, sub id.Subject) (api.SubjectView, error) {
	v, err := s.Plane.Subject(ctx, c, sub)
	out := api.SubjectView{Subject: v.Subject, Members: v.Members, States: v.States, HoldUntil: v.HoldUntil, Counts: v.Counts, CreatedAt: v.CreatedAt}
	for _, i := range v.Identifiers {
		out.Identifiers = append(out.Identifiers, api.IdentifierView(i))
	}
	return out, err
}

func recordViews(in []plane.RecordView) []api.RecordView {
	out := make([]api.RecordView, len(in))
	for i := range in {
		out[i] = recordView(in[i])
	}
	return out
}

func recordView(v plane.RecordView) api.RecordView {
	return api.RecordView{ID: v.ID, ClientID: v.ClientID, Kind: v.Kind, Service: v.Service, OccurredAt: v.OccurredAt,
		ReceivedAt: v.ReceivedAt, Categories: v.Categories, Gone: v.Gone, Data: v.Data}
}

func (s service) Records(ctx context.Context, c *tenant.Caller, sub id.Subject, q api.Query) (api.Page, error) {
	p, err := s.Plane.Records(ctx, c, sub, plane.Query(q))
	return api.Page{Records: recordViews(p.Records), Next: p.Next}, err
}

func (s service) RecordsByClientID(ctx context.Context, c *tenant.Caller, clientID string) ([]api.RecordView, error) {
	list, err := s.Plane.RecordsByClientID(ctx, c, clientID)
	return recordViews(list), err
}

func (s service) Export(ctx context.Context, c *tenant.Caller, sub id.Subject, purpose string, each func(api.RecordView) error) (api.ExportSummary, error) {
	counts := map[string]int64{}
	sum, err := s.Plane.Export(ctx, c, sub, purpose, func(v plane.RecordView) error {
		counts[v.Service+"/"+v.Kind]++
		return each(recordView(v))
	})
	return api.ExportSummary{Records: sum.Records, Counts: counts}, err
}

func ref(r ledger.Ref) api.Ref { return api.Ref{Entry: r.Entry, Index: &r.Index} }

func (s service) Erase(ctx context.Context, c *tenant.Caller, sub id.Subject, r api.EraseRequest) (api.Receipt, error) {
	e, err := s.Plane.Erase(ctx, c, sub, plane.EraseRequest(r))
	return api.Receipt{Receipt: e.Receipt, ErasedAt: e.ErasedAt, UnrecoverableBy: e.UnrecoverableBy, Records: e.Records,
		Ledger: ref(e.Ledger), Already: e.Already}, err
}

func stateChange(v plane.StateChange, err error) (api.StateChange, error) {
	return api.StateChange{Subject: v.Subject, States: v.States, HoldUntil: v.HoldUntil, Ledger: ref(v.Ledger)}, err
}

func (s service) Restrict(ctx context.Context, c *tenant.Caller, sub id.Subject, reason string) (api.StateChange, error) {
	return stateChange(s.Plane.Restrict(ctx, c, sub, reason))
}

func (s service) Unrestrict(ctx context.Context, c *tenant.Caller, sub id.Subject, reason string) (api.StateChange, error) {
	return stateChange(s.Plane.Unrestrict(ctx, c, sub, reason))
}

func (s service) Hold(ctx context.Context, c *tenant.Caller, sub id.Subject, reason string, until time.Time) (api.StateChange, error) {
	return stateChange(s.Plane.Hold(ctx, c, sub, reason, until))
}

func (s service) Release(ctx context.Context, c *tenant.Caller, sub id.Subject, reason string) (api.StateChange, error) {
	return stateChange(s.Plane.Release(ctx, c, sub, reason))
}

func (s service) Stats(ctx context.Context, c *tenant.Caller, since time.Time) (api.Stats, error) {
	v, err := s.Plane.Stats(ctx, c, since)
	out := api.Stats{Since: v.Since, OldestRemains: v.OldestRemains}
	for _, n := range v.Counts {
		out.Counts = append(out.Counts, api.Count{Service: n.Service, Kind: n.Kind, Outcome: n.Outcome, Reason: n.Reason, Count: n.N})
	}
	return out, err
}

func (s service) Refusals(ctx context.Context, c *tenant.Caller) ([]api.Refusal, error) {
	list, err := s.Plane.Refusals(ctx, c)
	out := make([]api.Refusal, len(list))
	for i, r := range list {
		out[i] = api.Refusal{Reason: r.Reason, Path: r.Path, Count: r.N, LastAt: r.LastAt}
	}
	return out, err
}
