package api

import (
	"context"
	"net/http"
	"time"

	"domicile.dev/internal/plane"
	"domicile.dev/internal/tenant"
)

// Heard is what other regions told of people whose data they sent here.
type Heard interface {
	HeardNotices(ctx context.Context, c *tenant.Caller) ([]plane.Heard, error)
	CloseHeard(ctx context.Context, c *tenant.Caller, id string) (plane.Heard, error)
}

// addHeard adds the calls about what other regions told.
func (a *API) addHeard() {
	if a.opt.Heard == nil {
		return
	}
	typed(a, operation{id: "list-heard-notices", method: http.MethodGet, path: "/api/v1/heard-notices", tag: tagFlows, who: managers, summary: "List notices from other regions",
		doc: "What other regions told of people whose data their flows brought here: erasures, restrictions and corrections. Those are done here at once where the flow's source alone knows the person. " +
			"The others are open: somebody has to decide. The open first, then the newest, a thousand at most. A tenant sees its own, the operator everybody's."}, a.listHeard)
	typed(a, operation{id: "close-heard-notice", method: http.MethodPost, path: "/api/v1/heard-notices/{heard}:close", tag: tagFlows, summary: "Close a notice from another region",
		doc: "When what it asks for was done, or needn't be. The ledger says who closed it.", errors: []int{404}}, a.closeHeard)
}

type (
	heardIn struct {
		Heard string `path:"heard"`
	}
	heardsBody struct {
		Heard []heardBody `json:"heard" nullable:"false"`
	}
	heardBody struct {
		ID      string     `json:"id" example:"hrd_aaaaaaaaaaaaaaaaaaaaaaaa"`
		Tenant  string     `json:"tenant"`
		Notice  string     `json:"notice" doc:"its id in the other region"`
		Source  string     `json:"source" doc:"by which that region's flow comes"`
		Kind    string     `json:"kind" enum:"erasure,restriction,restriction_lifted,correction"`
		Subject string     `json:"subject,omitempty" doc:"whom it is about here"`
		State   string     `json:"state" enum:"done,open,closed"`
		Reason  string     `json:"reason,omitempty" doc:"why it is open, or was done otherwise"`
		At      time.Time  `json:"at"`
		DoneAt  *time.Time `json:"done_at,omitempty"`
		Entry   string     `json:"entry" doc:"the last ledger entry about it"`
	}
)

func (a *API) listHeard(ctx context.Context, c *tenant.Caller, _ *struct{}) (*out[heardsBody], error) {
	all, err := a.opt.Heard.HeardNotices(ctx, c)
	if err != nil {
		return nil, err
	}
	b := heardsBody{Heard: make([]heardBody, len(all))}
	for i := range all {
		b.Heard[i] = a.heardBody(&all[i])
	}
	return &out[heardsBody]{b}, nil
}

func (a *API) closeHeard(ctx context.Context, c *tenant.Caller, in *heardIn) (*out[heardBody], error) {
	h, err := a.opt.Heard.CloseHeard(ctx, c, in.Heard)
	if err != nil {
		return nil, err
	}
	return &out[heardBody]{a.heardBody(&h)}, nil
}

func (a *API) heardBody(h *plane.Heard) heardBody {
	b := heardBody{ID: h.ID, Notice: h.Notice, Source: h.Source, Kind: h.Kind, State: string(h.State), Reason: h.Reason, At: time.UnixMilli(h.At).UTC(), DoneAt: msTime(h.DoneAt), Entry: h.Entry.String()}
	if !h.Subject.IsNobody() {
		b.Subject = h.Subject.String()
	}
	if a.opt.Notices != nil {
		b.Tenant = a.opt.Notices.TenantID(h.Tenant)
	}
	return b
}
