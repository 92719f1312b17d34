package region

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/flow"
	"domicile.dev/internal/flow/wire"
)

// maxNames is how many names of a person the other region takes in one request.
const maxNames = 1000

// notice is one as the other region takes it: the source's token says who tells.
type notice struct {
	ID       string   `json:"id"`
	Notice   string   `json:"notice"`
	Subjects []string `json:"subjects"`
	At       string   `json:"at"`
}

// heard is what the other region answers once it has done what was told, or has noted that somebody there
// has to.
type heard struct {
	ID string `json:"id"`
}

// tell brings a notice. With many names it is several requests under one id, all of which are sent again
// when one fails.
func (c *Connector) tell(ctx context.Context, d *flow.Delivery, token string) error {
	var n notice
	if err := json.Unmarshal(d.Body, &n); err != nil || len(n.Subjects) == 0 || n.Notice != d.Kind {
		return fault.New(fault.Invalid, "destination.bad_line", "the notice is none that a region takes")
	}
	n.ID = d.ID
	to := *c.to
	to.Path = "/v1/notices"
	for names := range slices.Chunk(n.Subjects, maxNames) {
		n.Subjects = names
		if err := c.tellPart(ctx, d, token, &to, &n); err != nil {
			return err
		}
	}
	return nil
}

func (c *Connector) tellPart(ctx context.Context, d *flow.Delivery, token string, to *url.URL, n *notice) error {
	body, err := json.Marshal(n)
	if err != nil {
		return fault.New(fault.Internal, "destination.bad_line", "a notice can't be written").Because(err)
	}
	h := http.Header{}
	for name, value := range map[string]string{"Authorization": "Bearer " + token, "Content-Type": "application/json", "User-Agent": "domicile",
		"Domicile-Region": d.Region, "Domicile-Entry": d.Entry} {
		h.Set(name, value)
	}
	a, err := c.wire.Send(ctx, http.MethodPost, to, h, body, d.MinimumTLS, maxAnswerBytes)
	if err != nil {
		return err
	}
	if err := wire.Classify(a.Status, a.RetryAfter); err != nil {
		return err
	}
	var got heard
	if json.Unmarshal(a.Body, &got) != nil || a.Cut || a.Status != http.StatusOK || got.ID != n.ID {
		return fault.New(fault.Unavailable, "destination.bad_answer", "the answer is not a region's").
			WithHint("does the destination's url lead to a region of Domicile?")
	}
	return nil
}
