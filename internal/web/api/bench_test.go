package api_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"domicile.dev/internal/id"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/web/api"
)

// These compare the written-out operations with huma's for the same work over a data path that
// does nothing, without a network. Ours include the guard and the check of the token.

func serve(b *testing.B, h http.Handler, method, path, body, token string) {
	b.ReportAllocs()
	for b.Loop() {
		r, err := http.NewRequest(method, path, strings.NewReader(body)) //nolint:noctx // no network
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+token)
		w := &nowhere{header: http.Header{}}
		h.ServeHTTP(w, r)
		if w.status != 0 && w.status != http.StatusOK {
			b.Fatalf("status %d", w.status)
		}
	}
}

type nowhere struct {
	header http.Header
	status int
}

func (n *nowhere) Header() http.Header         { return n.header }
func (n *nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n *nowhere) WriteHeader(s int)           { n.status = s }

const (
	findBody = `{"identifiers":[{"type":"email","value":"someone@example.com"}]}`
	eventLen = 592
)

func tenRecords() []api.RecordView {
	records := make([]api.RecordView, 10)
	for i := range records {
		records[i] = aRecord(uint32(i))
		records[i].Data = []byte(`{"event":"Product Viewed","properties":{"a":"` + strings.Repeat("x", eventLen-60) + `"}}`)
	}
	return records
}

func BenchmarkOurs(b *testing.B) {
	p := &silent{records: tenRecords()}
	h, token := handler(b, p, nil, io.Discard, time.Now)
	b.Run("find", func(b *testing.B) { serve(b, h, "POST", "/api/v1/subjects:find", findBody, token) })
	b.Run("erase", func(b *testing.B) { serve(b, h, "POST", "/api/v1/subjects/"+sub+":erase", "", token) })
	b.Run("records", func(b *testing.B) { serve(b, h, "GET", "/api/v1/subjects/"+sub+"/records?limit=10", "", token) })
}

// silent does nothing, and does not count it.
type silent struct {
	plane
	records []api.RecordView
}

func (s *silent) Find(context.Context, *tenant.Caller, []api.Identifier) (api.Found, error) {
	return api.Found{}, nil
}

func (s *silent) Records(context.Context, *tenant.Caller, id.Subject, api.Query) (api.Page, error) {
	return api.Page{Records: s.records}, nil
}

func (s *silent) Erase(context.Context, *tenant.Caller, id.Subject, api.EraseRequest) (api.Receipt, error) {
	return api.Receipt{}, nil
}

type (
	humaFind struct {
		Body struct {
			Identifiers []struct {
				Type  string `json:"type" pattern:"^[a-z][a-z0-9_]*$"`
				Value string `json:"value" minLength:"1"`
			} `json:"identifiers" minItems:"1"`
		}
	}
	humaFound struct {
		Body struct {
			Subject string `json:"subject"`
		}
	}
	humaQuery struct {
		Subject string `path:"subject"`
		Kind    string `query:"kind"`
		After   string `query:"after"`
		Purpose string `query:"purpose"`
		Limit   int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	}
	humaRecord struct {
		ID         string          `json:"id"`
		ClientID   string          `json:"client_id"`
		Kind       string          `json:"kind"`
		Service    string          `json:"service"`
		OccurredAt time.Time       `json:"occurred_at"`
		ReceivedAt time.Time       `json:"received_at"`
		Categories []string        `json:"categories"`
		Data       json.RawMessage `json:"data"`
	}
	humaPage struct {
		Body struct {
			Records []humaRecord `json:"records"`
		}
	}
)

func BenchmarkHuma(b *testing.B) {
	mux := http.NewServeMux()
	a := humago.New(mux, huma.Config{OpenAPI: &huma.OpenAPI{}, Formats: huma.DefaultFormats, DefaultFormat: "application/json"})
	huma.Register(a, huma.Operation{Method: http.MethodPost, Path: "/find", OperationID: "find"}, func(context.Context, *humaFind) (*humaFound, error) {
		return &humaFound{}, nil
	})
	records := tenRecords()
	huma.Register(a, huma.Operation{Method: http.MethodGet, Path: "/{subject}/records", OperationID: "records"}, func(context.Context, *humaQuery) (*humaPage, error) {
		p := &humaPage{}
		for _, r := range records {
			p.Body.Records = append(p.Body.Records, humaRecord{r.ID.String(), r.ClientID, r.Kind, r.Service, r.OccurredAt, r.ReceivedAt, r.Categories, r.Data})
		}
		return p, nil
	})
	b.Run("find", func(b *testing.B) { serve(b, mux, "POST", "/find", findBody, "") })
	b.Run("records", func(b *testing.B) { serve(b, mux, "GET", "/"+sub+"/records?limit=10", "", "") })
}
