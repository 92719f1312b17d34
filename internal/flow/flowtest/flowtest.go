// Package flowtest is the contract of connectors as a suite (docs/connectors.md): what a flow relies
// on, whoever the recipient is.
package flowtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"domicile.dev/internal/flow"
)

// Line is a record as its recipient has it.
type Line struct{ ID, Data string }

// Recipient is the far end, as a connector's test plays it.
type Recipient interface {
	// Lines returns what the recipient keeps, in the order of first arrival, each record once: what
	// was brought again is told by the delivery's id or the record's, whichever the recipient sees.
	Lines(t testing.TB) []Line
	// Server is the recipient's HTTP server, nil when it has none: what can go wrong on the way isn't
	// tested then.
	Server() *Server
	// ReadsAnswers says that an acknowledgement is in an answer's body, not in its status alone.
	ReadsAnswers() bool
}

// Teller is a recipient that can be told of erasures. A connector whose recipient is none answers a
// notice with flow.NoNotices.
type Teller interface {
	// Told returns the bodies of the notices that arrived, each once.
	Told(t testing.TB) []string
}

// patience is how long anything may take that should happen at once.
const patience = 20 * time.Second

// Conform runs the suite. open returns a connector with a recipient that has nothing yet; an attempt of
// it may take from 1 to 4 seconds.
func Conform(t *testing.T, open func(testing.TB) (flow.Connector, Recipient)) {
	start := func(t *testing.T) (flow.Connector, Recipient) {
		c, r := open(t)
		t.Cleanup(func() { _ = c.Close() })
		return c, r
	}
	for name, test := range map[string]func(*testing.T, flow.Connector, Recipient){
		"in order":                              inOrder,
		"again":                                 again,
		"a body of 8 MB":                        large,
		"concurrent":                            concurrent,
		"the end of the context":                cutBefore,
		"close":                                 closes,
		"the connector is not the body's owner": untouched,
		"a notice":                              notice,
	} {
		t.Run(name, func(t *testing.T) {
			c, r := start(t)
			test(t, c, r)
		})
	}
	_, r := start(t)
	if r.Server() == nil {
		return
	}
	for name, test := range map[string]func(*testing.T, flow.Connector, Recipient){
		"answers":                  answered,
		"redirects":                redirects,
		"broken answers":           broken,
		"a recipient that is slow": slow,
		"acknowledged":             acknowledged,
		"cut while it waits":       cutWaiting,
		"cut while it sends":       cutSending,
		"close while it waits":     closeWaiting,
	} {
		t.Run(name, func(t *testing.T) {
			c, r := start(t)
			test(t, c, r)
		})
	}
}

// Delivery returns the seq-th of flow, of n lines, with the lines.
func Delivery(of string, seq, n int) (*flow.Delivery, []Line) {
	var body bytes.Buffer
	var lines []Line
	for i := range n {
		l := Line{ID: fmt.Sprintf("r_%s%d-%d", of, seq, i), Data: fmt.Sprintf(`{"body":"%s %d <&>é"}`, Canary, i)}
		lines = append(lines, l)
		writeLine(&body, l)
	}
	return delivery(of, seq, n, body.Bytes()), lines
}

func writeLine(body *bytes.Buffer, l Line) {
	fmt.Fprintf(body, `{"id":%q,"kind":"message","service":"messaging","occurred_at":"2026-11-24T10:00:00Z","received_at":"2026-11-24T10:00:01Z",`+
		`"subjects":["psn_aaaa"],"categories":["customer-content"],"data":%s}`+"\n", l.ID, l.Data)
}

func delivery(of string, seq, n int, body []byte) *flow.Delivery {
	return &flow.Delivery{ID: fmt.Sprintf("dlv_%s%d", of, seq), Flow: of, Tenant: "acme", Region: "ie1", Recipient: "partner", Purpose: "analytics",
		Form: "pseudonymised", Entry: "led_aaaaaaaaaaaaaaaaaaaa", Programme: "sha256:aa", Seq: uint64(seq), Attempt: 1, Count: n,
		BegunAt: time.Date(2026, 11, 24, 10, 0, 1, 0, time.UTC), DecidedAt: time.Date(2026, 11, 24, 10, 0, 2, 0, time.UTC), MinimumTLS: "1.2", Body: body}
}

// ReadLines returns the lines of a body as it was sent.
func ReadLines(t testing.TB, body []byte) (lines []Line) {
	t.Helper()
	if len(body) > 0 && body[len(body)-1] != '\n' {
		t.Error("the last line has no end")
	}
	for l := range strings.Lines(string(body)) {
		var v struct {
			ID   string          `json:"id"`
			Data json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal([]byte(l), &v); err != nil {
			t.Errorf("a line can't be read: %v", err)
			continue
		}
		lines = append(lines, Line{v.ID, string(v.Data)})
	}
	return lines
}

func holds(t *testing.T, r Recipient, want []Line) {
	t.Helper()
	if got := r.Lines(t); len(got) != len(want) || !cmp.Equal(want, got) {
		if len(want) > 50 || len(got) > 50 {
			t.Errorf("the recipient keeps %d lines, want these %d", len(got), len(want))
			return
		}
		t.Errorf("what the recipient keeps: %s", cmp.Diff(want, got))
	}
}
