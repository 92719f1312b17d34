package api

import (
	"net/http"
	"strings"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/web/guard"
)

// who returns the key that the head of the request names, and its source: "" and nil when it
// names none.
func (in *Ingest) who(r *http.Request, adapter string) (key string, src *tenant.Source, err error) {
	if r.Header.Get("Authorization") != "" {
		if user, _, ok := r.BasicAuth(); ok {
			key = user
		} else if key, err = guard.Bearer(r); err != nil {
			return "", nil, fault.New(fault.Unauthenticated, "credential.bad_scheme", "the Authorization header is neither Basic nor Bearer")
		}
	}
	if strings.Contains(r.URL.RawQuery, "writeKey=") {
		asked := r.URL.Query().Get("writeKey")
		if tenant.IsAccessToken(key) && asked != "" {
			if src, err = in.source(key, adapter); err == nil {
				err = in.sameSource(src, asked)
			}
			return key, src, err
		}
		if key != "" && asked != "" && asked != key {
			return "", nil, keyMismatch()
		}
		if key == "" {
			key = asked
		}
	}
	if key == "" {
		return "", nil, nil
	}
	src, err = in.source(key, adapter)
	return key, src, err
}

// source returns whose key or access token that is, if it is one for that adapter.
func (in *Ingest) source(key, adapter string) (src *tenant.Source, err error) {
	if tenant.IsAccessToken(key) && in.opt.Tokens != nil {
		src, err = in.opt.Tokens.SourceByAccessToken(key)
	} else {
		src, err = in.sources.SourceByKey(key)
	}
	if err == nil && src.Adapter != adapter {
		err = fault.New(fault.Forbidden, "source.wrong_adapter", "this key is of a source of another kind").
			WithHint("native sources send to /v1/records, Segment and RudderStack SDKs to the other paths under /v1/")
	}
	return src, err
}

func keyMissing() error {
	return fault.New(fault.Unauthenticated, "credential.missing", "the request names no write key").
		WithHint("send it as the user of Basic authorization, as Bearer token, or in the body as writeKey")
}

func keyMismatch() error {
	return fault.New(fault.Unauthenticated, "source.key_mismatch", "the request names two different write keys")
}
