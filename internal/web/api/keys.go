package api

import (
	"context"
	"net/http"
	"time"

	"domicile.dev/internal/tenant"
)

// addKeys adds the operator's calls about the region's keys. None shows anything secret.
func (a *API) addKeys() {
	op := func(method, path, id, summary, doc string) operation {
		return operation{id: id, method: method, path: path, tag: tagAccess, who: managers, summary: summary, doc: doc, errors: []int{403}}
	}
	typed(a, op(http.MethodGet, "/api/v1/keys", "get-keys", "Show the state of the region's keys",
		"Epochs, versions of the index key, and how far a rotation is. For the operator."), a.keys)
	rotate := op(http.MethodPost, "/api/v1/keys:rotate-index", "rotate-index-key", "Begin a rotation of the index key",
		"The region's nodes bring it to its end on their own, while everything goes on. It does nothing while one is under way. For the operator.")
	rotate.status = http.StatusAccepted
	typed(a, rotate, a.rotateIndex)
}

type (
	epochBody struct {
		N           uint32     `json:"n"`
		CreatedAt   time.Time  `json:"created_at"`
		DestroyedAt *time.Time `json:"destroyed_at,omitempty" doc:"missing while the keyring may still hold the key"`
	}
	indexKeyBody struct {
		N         uint32     `json:"n"`
		CreatedAt time.Time  `json:"created_at"`
		Moved     int64      `json:"moved" doc:"identifiers that were computed anew under it"`
		RetiredAt *time.Time `json:"retired_at,omitempty" doc:"when no identifier was left under it"`
		EndedAt   *time.Time `json:"ended_at,omitempty" doc:"when its key was destroyed and that was entered"`
		Kept      bool       `json:"kept,omitempty" doc:"its key stays: client ids are blind under it, too"`
	}
	keysBody struct {
		Epochs   []epochBody    `json:"epochs" nullable:"false" doc:"the oldest first; the last is current"`
		Index    []indexKeyBody `json:"index" nullable:"false" doc:"the oldest first; the last is current"`
		Rotating bool           `json:"rotating" doc:"until the version before is at its end"`
		Left     int64          `json:"left" doc:"identifiers that are still under the version before"`
		Begun    bool           `json:"begun,omitempty" doc:"this call began the rotation"`
	}
)

func keysOf(v KeysView) keysBody {
	b := keysBody{Epochs: make([]epochBody, len(v.Epochs)), Index: make([]indexKeyBody, len(v.Index)), Rotating: v.Rotating, Left: v.Left}
	for i, e := range v.Epochs {
		b.Epochs[i] = epochBody{N: e.N, CreatedAt: e.CreatedAt, DestroyedAt: wireTime(&e.DestroyedAt)}
	}
	for i, x := range v.Index {
		b.Index[i] = indexKeyBody{N: x.N, CreatedAt: x.CreatedAt, Moved: x.Moved, RetiredAt: wireTime(&x.RetiredAt), EndedAt: wireTime(&x.EndedAt), Kept: v.Kept[i]}
	}
	return b
}

func (a *API) keys(ctx context.Context, c *tenant.Caller, _ *struct{}) (*out[keysBody], error) {
	v, err := a.service.Keys(ctx, c)
	if err != nil {
		return nil, err
	}
	return &out[keysBody]{keysOf(v)}, nil
}

func (a *API) rotateIndex(ctx context.Context, c *tenant.Caller, _ *struct{}) (*out[keysBody], error) {
	v, begun, err := a.service.RotateIndex(ctx, c)
	if err != nil {
		return nil, err
	}
	b := keysOf(v)
	b.Begun = begun
	return &out[keysBody]{b}, nil
}
