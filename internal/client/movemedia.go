package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"domicile.dev/internal/fault"
)

// mediumAt is one recording or attachment of who moves.
type mediumAt struct {
	Record string `json:"record"`
	N      int    `json:"n"`
	ID     string `json:"id"`
	Bytes  int64  `json:"bytes"`
}

type mediaList struct {
	Media []mediumAt `json:"media"`
	More  bool       `json:"more,omitempty"`
}

// carryMedia brings over the recordings and attachments that the new region lacks, of the records that
// it has.
func (k *Courier) carryMedia(ctx context.Context, move string) error {
	q := url.Values{}
	for more := true; more; {
		var list, missing mediaList
		if err := k.From.get(ctx, movePath(move, "/media"), q, &list); err != nil || len(list.Media) == 0 {
			return err
		}
		if err := k.To.post(ctx, movePath(move, ":missing"), mediaList{Media: list.Media}, &missing); err != nil {
			return err
		}
		for _, m := range missing.Media {
			if err := k.medium(ctx, move, m); err != nil {
				return err
			}
			if k.media++; k.MediaProgress != nil {
				k.MediaProgress(k.media)
			}
		}
		last := list.Media[len(list.Media)-1]
		more, q = list.More, url.Values{"record": {last.Record}, "n": {strconv.Itoa(last.N)}}
	}
	return nil
}

// mostWaits is how often a courier waits for a region that is busy with others' uploads.
const mostWaits = 60

// medium brings one over, whole: it passes through and is never held.
func (k *Courier) medium(ctx context.Context, move string, m mediumAt) error {
	for waits := 0; ; waits++ {
		err := k.streamMedium(ctx, move, m)
		f, ok := fault.As(err)
		if !ok || f.Kind != fault.RateLimited || waits == mostWaits {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(max(f.RetryAfterSeconds, 1)) * time.Second):
		}
	}
}

func (k *Courier) streamMedium(ctx context.Context, move string, m mediumAt) error {
	path := movePath(move, "/media/"+url.PathEscape(m.Record)+"?n="+strconv.Itoa(m.N))
	out, err := k.From.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer func() { _ = out.Body.Close() }()
	in, err := k.To.sendAs(ctx, http.MethodPut, path, out.Body, http.Header{"Content-Type": {"application/octet-stream"},
		"Expect": {"100-continue"}}) // so that a refusal comes before the content goes
	if err != nil {
		return err
	}
	return in.Body.Close()
}
