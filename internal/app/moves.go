package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/web/guard"
)

// proof is what one region tells another when a person has left it: the move's secret, which only the
// two know, and which proves itself. It and words (words.go) are all that regions tell each other of people
// who move.
type proof struct {
	Tenant string `json:"tenant"`
	Proof  []byte `json:"proof"`
}

// maxProofBytes bounds the body.
const maxProofBytes = 4 << 10

// Times of telling. The courier of a move tells the target first; this is for when it stopped.
const (
	tellEvery   = 2 * time.Second
	tellAgain   = 20 * time.Second // after one that failed
	tellTimeout = 5 * time.Second
)

// tellMoves tells other regions, until ctx ends, that people who have left are theirs.
func (n *Node) tellMoves(ctx context.Context) {
	if len(n.Config.Peers) == 0 {
		<-ctx.Done()
		return
	}
	client := &http.Client{Timeout: tellTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for pause := tellEvery; ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = tellEvery
		if err := errors.Join(n.tellAll(ctx, client), n.tellWords(ctx, client)); err != nil && ctx.Err() == nil {
			n.log.Warn("a region can't be told of somebody who moved, it will be tried again", "error", err)
			pause = tellAgain
		}
	}
}

func (n *Node) tellAll(ctx context.Context, client *http.Client) (failed error) {
	list, err := n.Plane.Undelivered(ctx, n.tenantID)
	if err != nil {
		return err
	}
	for _, d := range list {
		if err := n.tell(ctx, client, d); err != nil {
			failed = fmt.Errorf("move %s: %w", d.Move, err)
			continue
		}
		if err := n.Plane.Delivered(ctx, d); err != nil {
			failed = fmt.Errorf("move %s: %w", d.Move, err)
		}
	}
	return failed
}

// tenantID returns the id of a tenant by its number.
func (n *Node) tenantID(no uint32) string {
	for _, t := range n.Tenants.Tenants(tenant.Operator) {
		if t.No == no {
			return t.ID
		}
	}
	return ""
}

// tell gives the target the proof. It returns nil when the person is at home there, or was and has been
// erased or moved on.
func (n *Node) tell(ctx context.Context, client *http.Client, d plane.Delivery) error {
	return n.tellRegion(ctx, client, d.Region, d.Move, "activate", proof{d.Caller.TenantID, d.Proof}, http.StatusNoContent, http.StatusGone, http.StatusMisdirectedRequest)
}

// tellRegion posts what is to be said of a move to another region. It is an error when that answers something
// else than what is done.
func (n *Node) tellRegion(ctx context.Context, client *http.Client, region, move, verb string, what any, done ...int) error {
	peer, known := n.Config.Peers[region]
	if !known {
		return fmt.Errorf("region %s is no peer any more", region)
	}
	body, err := json.Marshal(what)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, peer.URL+"/moves/"+url.PathEscape(move)+"/"+verb, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("tell region %s: %w", region, err)
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	_ = res.Body.Close()
	if !slices.Contains(done, res.StatusCode) {
		return fmt.Errorf("region %s answers %s", region, res.Status)
	}
	return nil
}

// hearMove takes another region's word that somebody has left it. The proof is all that it needs: it
// makes the person at home here whom that region acknowledged to have sent, and does nothing else.
func (n *Node) hearMove(w http.ResponseWriter, r *http.Request) {
	var in proof
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxProofBytes))
	d.DisallowUnknownFields()
	if d.Decode(&in) != nil || len(in.Proof) == 0 {
		guard.Fail(w, fault.New(fault.Invalid, "request.invalid", "the body is not what the call wants"))
		return
	}
	t, err := n.Tenants.Tenant(in.Tenant)
	if err == nil {
		_, err = n.Plane.ActivateMove(r.Context(), &tenant.Caller{Tenant: t.No, TenantID: t.ID}, r.PathValue("move"), in.Proof)
	} else {
		err = fault.New(fault.NotFound, "move.unknown", "there is no such move here")
	}
	if err != nil {
		guard.Fail(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
