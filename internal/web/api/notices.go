package api

import (
	"context"
	"net/http"
	"time"

	"domicile.dev/internal/flow"
	"domicile.dev/internal/tenant"
)

// Notices lists what recipients were told of people whose data they had.
type Notices interface {
	Notices(ctx context.Context, c *tenant.Caller) ([]flow.Notice, error)
	TenantID(no uint32) string
}

// addNotices adds the call about what recipients are told.
func (a *API) addNotices() {
	if a.opt.Notices == nil {
		return
	}
	typed(a, operation{id: "list-notices", method: http.MethodGet, path: "/api/v1/notices", tag: tagFlows, who: managers, summary: "List notices to recipients",
		doc: "What recipients were told of erasures, restrictions and corrections of people whose data they had, and whether they confirmed it: the pending first, then the newest, a thousand at most. A tenant sees its own, the operator everybody's."}, a.listNotices)
}

type (
	noticesBody struct {
		Notices []noticeBody `json:"notices" nullable:"false"`
	}
	noticeBody struct {
		ID          string     `json:"id" example:"ntc_aaaaaaaaaaaaaaaaaaaa"`
		Tenant      string     `json:"tenant"`
		Kind        string     `json:"kind" enum:"erasure,restriction,restriction_lifted,correction"`
		Recipient   string     `json:"recipient"`
		Receipt     string     `json:"receipt" doc:"of the erasure, or the ledger entry of what else was done"`
		Identifiers int        `json:"identifiers" doc:"how many names of the person it has"`
		State       string     `json:"state" enum:"pending,confirmed,refused,unsupported,expired,overtaken,kept"`
		Attempts    int        `json:"attempts"`
		Error       string     `json:"error,omitempty" doc:"reason code of the last attempt"`
		MadeAt      time.Time  `json:"made_at"`
		NextAt      *time.Time `json:"next_at,omitempty" doc:"while it is pending"`
		ExpiresAt   *time.Time `json:"expires_at,omitempty" doc:"then its content is destroyed, confirmed or not; without it, when the person who moved was erased"`
		DoneAt      *time.Time `json:"done_at,omitempty"`
		Entry       string     `json:"entry,omitempty" doc:"the last ledger entry about it"`
	}
)

func (a *API) listNotices(ctx context.Context, c *tenant.Caller, _ *struct{}) (*out[noticesBody], error) {
	all, err := a.opt.Notices.Notices(ctx, c)
	if err != nil {
		return nil, err
	}
	b := noticesBody{Notices: make([]noticeBody, len(all))}
	for i := range all {
		n := &all[i]
		x := noticeBody{ID: n.Text(), Tenant: a.opt.Notices.TenantID(n.Tenant), Kind: n.Kind, Recipient: n.Recipient, Receipt: n.Receipt, Identifiers: n.Count, State: string(n.State),
			Attempts: n.Attempt, Error: n.Error, MadeAt: time.UnixMilli(n.MadeAt).UTC(), ExpiresAt: msTime(n.ExpiresAt), DoneAt: msTime(n.DoneAt)}
		if n.State == flow.NoticePending {
			x.NextAt = msTime(n.NextAt)
		}
		if n.Entry != [12]byte{} {
			x.Entry = n.Entry.String()
		}
		b.Notices[i] = x
	}
	return &out[noticesBody]{b}, nil
}
