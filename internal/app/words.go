package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/web/guard"
)

// word is what a person's new home tells the one that they came from: that it has something to pass on to
// who had their data there. It names the move and nobody.
type word struct {
	Tenant  string `json:"tenant"`
	Word    string `json:"word"`
	Kind    string `json:"kind"`
	Receipt string `json:"receipt"`
	MAC     []byte `json:"mac"`
}

// correct tells recipients of what events corrected, until ctx ends.
func (n *Node) correct(ctx context.Context) { n.Plane.Correct(ctx, n.tenantID) }

// tellWords tells other regions what they have to pass on of people who came from there.
func (n *Node) tellWords(ctx context.Context, client *http.Client) (failed error) {
	list, err := n.Plane.Words(ctx, n.tenantID)
	if err != nil {
		return err
	}
	for i := range list {
		err := n.tellWord(ctx, client, &list[i])
		if noted := n.Plane.WordTaken(ctx, &list[i], err != nil); err == nil {
			err = noted
		}
		if err != nil { // and the next one: it may be for another region
			failed = errors.Join(failed, fmt.Errorf("word on move %s: %w", list[i].Move, err))
		}
	}
	return failed
}

func (n *Node) tellWord(ctx context.Context, client *http.Client, w *plane.OwedWord) error {
	return n.tellRegion(ctx, client, w.Peer, w.Move, "tell", word{w.Caller.TenantID, w.ID, w.Kind, w.Receipt, w.MAC}, http.StatusNoContent)
}

// readWord reads one word and nothing behind it.
func readWord(body io.Reader) (word, error) {
	var in word
	b, err := io.ReadAll(io.LimitReader(body, maxProofBytes+1))
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err != nil || len(b) > maxProofBytes || !json.Valid(b) || d.Decode(&in) != nil || len(in.MAC) == 0 {
		return word{}, fault.New(fault.Invalid, "request.invalid", "the body is not what the call wants")
	}
	return in, nil
}

// hearWord takes the word of a person's new home. Its MAC is all that it needs: only the two regions of the
// move can make one.
func (n *Node) hearWord(w http.ResponseWriter, r *http.Request) {
	in, err := readWord(http.MaxBytesReader(w, r.Body, maxProofBytes))
	if err != nil {
		guard.Fail(w, err)
		return
	}
	t, err := n.Tenants.Tenant(in.Tenant)
	if err == nil {
		err = n.Plane.HearWord(r.Context(), &tenant.Caller{Tenant: t.No, TenantID: t.ID}, plane.Word{Move: r.PathValue("move"), ID: in.Word, Kind: in.Kind, Receipt: in.Receipt, MAC: in.MAC})
	} else {
		err = fault.New(fault.NotFound, "move.unknown", "there is no such move here")
	}
	if err != nil {
		guard.Fail(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
