package api

import (
	"context"
	"encoding/json"
	"net/http"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
	"domicile.dev/internal/web/guard"
)

// pathNotices is where another region, whose flow brings records by a source, tells of the people in them.
const pathNotices = "/v1/notices"

// maxNoticeBytes holds a notice of the most names there may be.
const maxNoticeBytes = 64 << 10

// Hearer does what other regions tell of people whose data they sent.
type Hearer interface {
	HearNotice(ctx context.Context, src *tenant.Source, n plane.NoticeIn) error
}

// peerNotice is the body, and its id alone the answer.
type peerNotice struct {
	ID       string   `json:"id" example:"ntc_aaaaaaaaaaaaaaaaaaaa"`
	Notice   string   `json:"notice" enum:"erasure,restriction,restriction_lifted,correction"`
	Subjects []string `json:"subjects" nullable:"false" maxItems:"1000" doc:"what the records of the source call the person"`
	At       string   `json:"at,omitempty" format:"date-time" doc:"when it was done there"`
}

type peerHeard struct {
	ID string `json:"id" doc:"the notice's"`
}

// takeNotice answers when all is durable.
func (in *Ingest) takeNotice(w http.ResponseWriter, r *http.Request) {
	_, src, err := in.who(r, term.AdapterNative)
	if err == nil && src == nil {
		err = keyMissing()
	}
	if err != nil {
		in.drain(w, r, maxNoticeBytes)
		guard.Fail(w, err)
		return
	}
	body := in.body(maxNoticeBytes, senderOf(src))
	defer body.release()
	if err := body.read(w, r); err != nil {
		guard.Fail(w, err)
		return
	}
	n, err := decodeNotice(body.bytes)
	if err == nil {
		err = in.opt.Notices.HearNotice(context.WithoutCancel(r.Context()), src, n)
	}
	if err != nil {
		guard.Fail(w, err)
		return
	}
	answer, _ := json.Marshal(peerHeard{n.ID})
	w.Header()["Content-Type"] = jsonType
	_, _ = w.Write(answer)
}

func decodeNotice(body []byte) (plane.NoticeIn, error) {
	var b peerNotice
	if err := json.Unmarshal(body, &b); err != nil {
		return plane.NoticeIn{}, fault.New(fault.Invalid, "request.invalid", "the body is not what the call wants").WithHint("docs/connectors.md says what a notice is")
	}
	return plane.NoticeIn{ID: b.ID, Kind: b.Notice, Subjects: b.Subjects}, nil
}
