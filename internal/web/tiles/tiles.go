// Package tiles serves a region's ledger to everybody: the checkpoint and tiles of
// c2sp.org/tlog-tiles, the keys that verify them, and the witness of c2sp.org/tlog-witness.
package tiles

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/web/guard"
)

// Log is what the pages need of the ledger.
type Log interface {
	Checkpoint(ctx context.Context) ([]byte, error)
	Tile(ctx context.Context, path string) (b []byte, full bool, err error)
	AddCheckpoint(ctx context.Context, body []byte) ([]byte, error)
	Mirror(ctx context.Context, origin string) ([]byte, error)
	Self() ledger.SelfReport
	Keys() *ledger.Keys
}

const (
	text   = "text/plain; charset=utf-8"
	binary = "application/octet-stream"

	forGood = "public, max-age=31536000, immutable"
	anHour  = "public, max-age=3600"
	never   = "no-cache"
)

// New returns the handler of everything under /ledger/.
func New(l Log) http.Handler {
	mux := http.NewServeMux()
	add := func(pattern string, h func(http.ResponseWriter, *http.Request) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := h(w, r); err != nil {
				guard.Fail(w, err)
			}
		})
	}
	p := pages{l}
	add("GET /ledger/checkpoint", p.checkpoint)
	add("GET /ledger/tile/{path...}", p.tile)
	add("GET /ledger/defects", p.defects)
	add("GET /ledger/key", p.key)
	add("GET /ledger/witness/key", p.witnessKey)
	add("GET /ledger/witness/mirror/{origin...}", p.mirror)
	add("POST /ledger/witness/add-checkpoint", p.addCheckpoint)
	return mux
}

type pages struct{ log Log }

func (p pages) checkpoint(w http.ResponseWriter, r *http.Request) error {
	b, err := p.log.Checkpoint(r.Context())
	return answer(w, b, text, never, err)
}

func (p pages) tile(w http.ResponseWriter, r *http.Request) error {
	b, full, err := p.log.Tile(r.Context(), "tile/"+r.PathValue("path"))
	if full {
		return answer(w, b, binary, forGood, err)
	}
	return answer(w, b, binary, anHour, err) // its bytes don't change either, but the full one replaces it
}

func (p pages) defects(w http.ResponseWriter, _ *http.Request) error {
	b, err := json.Marshal(p.log.Self())
	return answer(w, b, "application/json", never, err)
}

func (p pages) key(w http.ResponseWriter, _ *http.Request) error {
	return answer(w, []byte(p.log.Keys().LogKey()+"\n"), text, never, nil)
}

func (p pages) witnessKey(w http.ResponseWriter, _ *http.Request) error {
	return answer(w, []byte(p.log.Keys().WitnessKey()+"\n"), text, never, nil)
}

func (p pages) mirror(w http.ResponseWriter, r *http.Request) error {
	b, err := p.log.Mirror(r.Context(), r.PathValue("origin"))
	return answer(w, b, text, never, err)
}

// addCheckpoint answers a refusal for another size as tlog-witness wants it, others as problems.
func (p pages) addCheckpoint(w http.ResponseWriter, r *http.Request) error {
	guard.LimitBody(w, r, ledger.MaxWitnessBytes)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	line, err := p.log.AddCheckpoint(r.Context(), body)
	if f, ok := fault.As(err); ok && f.Kind == fault.Conflict && f.Extra["size"] != nil {
		guard.Note(w, err)
		w.Header().Set("Content-Type", "text/x.tlog.size")
		w.WriteHeader(http.StatusConflict)
		_, _ = fmt.Fprintf(w, "%d\n", f.Extra["size"])
		return nil
	}
	return answer(w, line, text, "no-store", err)
}

// answer writes b, or returns err. All of this is public: any page may read it.
func answer(w http.ResponseWriter, b []byte, contentType, cache string, err error) error {
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", cache)
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Content-Length", fmt.Sprint(len(b)))
	_, _ = w.Write(b)
	return nil
}
