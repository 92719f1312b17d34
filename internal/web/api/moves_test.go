package api_test

import (
	"context"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ledger"
	dataplane "domicile.dev/internal/plane"
	"domicile.dev/internal/tenant"
)

// mover answers every step of a move with all that there is to answer.
type mover struct {
	asked []string
	flows flows
}

func (m *mover) note(c *tenant.Caller, what string) { m.asked = append(m.asked, c.TenantID+" "+what) }

var anArrival = dataplane.Arriving{Move: "mov_us1_a", State: dataplane.MoveArriving, Public: []byte{1}, Subject: subject(2), Pages: 1, Next: "01", Records: 3}

func (m *mover) OpenMove(_ context.Context, c *tenant.Caller, from string) (dataplane.Arriving, error) {
	m.note(c, "open "+from)
	return anArrival, nil
}

func (m *mover) BeginMove(_ context.Context, c *tenant.Caller, s id.Subject, to, move string, public []byte) (dataplane.Leaving, error) {
	m.note(c, "begin "+s.String()+" "+to+" "+move+" "+string(public))
	return dataplane.Leaving{Move: move, To: to, Hello: []byte{2}, Ledger: ledger.Ref{Entry: id.NewEntry()}}, nil
}

func (m *mover) MovePage(_ context.Context, c *tenant.Caller, move string, n uint32, after string) (dataplane.SealedPage, error) {
	m.note(c, "page "+move+" "+after)
	return dataplane.SealedPage{Sealed: []byte{3}, Next: "02", More: n == 1}, nil
}

func (m *mover) MovePerson(_ context.Context, c *tenant.Caller, move string) ([]byte, error) {
	m.note(c, "person "+move)
	return []byte{4}, nil
}

func (m *mover) TakePage(_ context.Context, c *tenant.Caller, move string, _ uint32, sealed []byte) (dataplane.Arriving, error) {
	m.note(c, "take "+move+" "+string(sealed))
	return anArrival, nil
}

func (m *mover) Arrive(_ context.Context, c *tenant.Caller, move string, sealed []byte) (dataplane.Ack, error) {
	m.note(c, "arrive "+move+" "+string(sealed))
	return dataplane.Ack{Move: move, Subject: subject(2), Next: "02", Records: 3, Person: []byte{5}, Media: []byte{5}, Entry: id.NewEntry(), MAC: []byte{6}}, nil
}

func (m *mover) CommitMove(_ context.Context, c *tenant.Caller, ack dataplane.Ack) (dataplane.Departed, error) {
	m.note(c, "commit "+ack.Move+" "+ack.Subject.String()+" "+ack.Next+" "+string(ack.Media)+" "+string(ack.MAC))
	return aDeparture, nil
}

var aDeparture = dataplane.Departed{Move: "mov_us1_a", Region: "us1", URL: "https://us1.example.com", Subject: subject(2), Proof: []byte{7},
	UnrecoverableBy: time.Unix(1, 0), Ledger: ledger.Ref{Entry: id.NewEntry()}}

func (m *mover) ActivateMove(_ context.Context, c *tenant.Caller, move string, proof []byte) (dataplane.Activated, error) {
	m.note(c, "activate "+move+" "+string(proof))
	return dataplane.Activated{Subject: subject(2), Records: 3, Ledger: ledger.Ref{Entry: id.NewEntry()}}, nil
}

func (m *mover) CancelMove(_ context.Context, c *tenant.Caller, move string, proof []byte) ([]byte, error) {
	m.note(c, "cancel "+move+" "+string(proof))
	return []byte{8}, nil
}

func (m *mover) LastMove(ctx context.Context, c *tenant.Caller, s id.Subject) (dataplane.MoveStatus, error) {
	return m.MoveStatus(ctx, c, s.String())
}

func (m *mover) MoveStatus(_ context.Context, c *tenant.Caller, move string) (dataplane.MoveStatus, error) {
	m.note(c, "status "+move)
	return dataplane.MoveStatus{Arriving: anArrival, To: "us1", Departed: aDeparture, Cancel: []byte{8}}, nil
}

func (m *mover) MoveMedia(_ context.Context, c *tenant.Caller, move string, after *dataplane.MediumAt) ([]dataplane.MediumAt, bool, error) {
	if after != nil {
		m.note(c, "media "+move+" after "+after.Record.String()+" "+strconv.Itoa(after.N))
	}
	return []dataplane.MediumAt{aMedium}, after == nil, nil
}

var aMedium = dataplane.MediumAt{Record: id.Record{Ordinal: 1}, N: 3, Media: id.Media{1}, Bytes: 5}

func (m *mover) MissingMedia(_ context.Context, c *tenant.Caller, move string, list []dataplane.MediumAt) ([]dataplane.MediumAt, error) {
	for _, at := range list {
		m.note(c, "missing "+move+" "+at.Media.String())
	}
	return list, nil
}

func (m *mover) MoveMedium(_ context.Context, c *tenant.Caller, move string, rec id.Record, n int) (dataplane.MovingMedium, error) {
	m.note(c, "medium "+move+" "+rec.String()+" "+strconv.Itoa(n))
	return leavingMedium{cut: n == 9}, nil
}

type leavingMedium struct{ cut bool }

func (leavingMedium) Ready() error { return nil }
func (leavingMedium) Close() error { return nil }
func (l leavingMedium) Send(w io.Writer) error {
	_, err := io.WriteString(w, "sealed")
	if l.cut {
		err = io.ErrClosedPipe
	}
	return err
}

func (m *mover) TakeMedium(_ context.Context, c *tenant.Caller, move string, rec id.Record, n int, body io.Reader) error {
	b, err := io.ReadAll(body)
	m.note(c, "take medium "+move+" "+rec.String()+" "+strconv.Itoa(n)+" "+strconv.Itoa(len(b)))
	if err == nil && (len(b) == 0 || string(b) == "bad") {
		err = fault.New(fault.Invalid, "move.altered", "altered")
	}
	return err
}

func TestTheStepsOfMediaSayWhatTheyWereAsked(t *testing.T) {
	w := newWorld(t)
	rec, med := aMedium.Record.String(), aMedium.Media.String()
	one := "/moves/mov_us1_a/media/" + rec
	entry := `{"record":"` + rec + `","n":3,"id":"` + med + `","bytes":5}`
	large := strings.Repeat("x", 3<<20) // more than other bodies may be
	for _, tt := range []struct {
		method, path, body string
		status             int
		answer             string
	}{
		{"GET", "/moves/mov_us1_a/media", "", 200, `{"media":[` + entry + `],"more":true}`},
		{"GET", "/moves/mov_us1_a/media?record=" + rec + "&n=3", "", 200, `{"media":[` + entry + `]}`},
		{"POST", "/moves/mov_us1_a:missing", `{"media":[` + entry + `]}`, 200, `{"media":[` + entry + `]}`},
		{"GET", one + "?n=3", "", 200, "sealed"},
		{"PUT", one + "?n=3", large, 204, ""},
		{"PUT", one, "bad", 400, ""},
		{"PUT", one + "?n=100", "x", 400, ""},
		{"PUT", "/moves/mov_us1_a/media/nothing", "x", 400, ""},
		{"GET", "/moves/mov_us1_a/media/nothing", "", 400, ""},
		{"GET", "/moves/mov_us1_a/media?record=nothing", "", 400, ""},
		{"POST", "/moves/mov_us1_a:missing", `{"media":[{"record":"x","n":3,"id":"` + med + `","bytes":5}]}`, 400, ""},
		{"POST", "/moves/mov_us1_a:missing", `{"media":[{"record":"` + rec + `","n":3,"id":"x","bytes":5}]}`, 400, ""},
	} {
		r := w.do(tt.method, "/api/v1"+tt.path, tt.body)
		if r.status != tt.status || tt.answer != "" && strings.TrimSpace(string(r.body)) != tt.answer {
			t.Errorf("%s %s: %d %s, want %d %s", tt.method, tt.path, r.status, r.body, tt.status, tt.answer)
		}
	}
	want := "acme media mov_us1_a after " + rec + " 3|acme missing mov_us1_a " + med + "|acme medium mov_us1_a " + rec + " 3|acme take medium mov_us1_a " + rec + " 3 3145728|" +
		"acme take medium mov_us1_a " + rec + " 0 3"
	if got := strings.Join(w.moves.asked, "|"); got != want {
		t.Errorf("asked\n%s, want\n%s", got, want)
	}
}

// A stream that fails on the way must not look whole.
func TestACutMediumIsNotTakenForWhole(t *testing.T) {
	w := newWorld(t)
	if r, err := w.send("GET", "/api/v1/moves/mov_us1_a/media/"+aMedium.Record.String()+"?n=9", ""); err == nil {
		t.Errorf("the answer ended as if it were whole: %d %s", r.status, r.body)
	}
}

func TestTheStepsOfAMoveSayWhatTheyWereAsked(t *testing.T) {
	w := newWorld(t)
	do := func(method, path, body string, status int) {
		t.Helper()
		if r := w.do(method, "/api/v1"+path, body); r.status != status {
			t.Errorf("%s %s: %d %s, want %d", method, path, r.status, r.body, status)
		}
	}
	do("POST", "/moves", `{"from":"ie1"}`, 201)
	do("POST", "/subjects/"+sub+":move", `{"to":"us1","move":"mov_us1_a","public_key":"YWJj"}`, 200)
	do("GET", "/moves/mov_us1_a/page?n=2&after=01", "", 200)
	do("POST", "/moves/mov_us1_a:take", `{"n":2,"sealed":"YWJj"}`, 200)
	do("POST", "/moves/mov_us1_a:arrive", `{"sealed":"YWJj"}`, 200)
	do("POST", "/moves/mov_us1_a:commit", `{"subject":"`+sub+`","next":"02","records":3,"person":"YQ==","media":"bWVk","entry":"led_aaaaaaaaaaaaaaaaaaaa","mac":"bWFj"}`, 200)
	do("POST", "/moves/mov_us1_a:activate", `{"proof":"YWJj"}`, 200)
	do("POST", "/moves/mov_us1_a:cancel", "", 200)
	want := []string{"acme open ie1", "acme begin " + sub + " us1 mov_us1_a abc", "acme page mov_us1_a 01", "acme take mov_us1_a abc", "acme arrive mov_us1_a abc",
		"acme commit mov_us1_a " + sub + " 02 med mac", "acme activate mov_us1_a abc", "acme cancel mov_us1_a "}
	for i, a := range w.moves.asked {
		if i >= len(want) || a != want[i] {
			t.Errorf("asked %q, want %q", w.moves.asked, want)
			break
		}
	}
	do("GET", "/moves/mov_us1_a/page?n=0", "", 400)
	do("POST", "/moves/mov_us1_a:commit", `{"subject":"`+sub+`","records":3,"person":"YQ==","media":"bWVk","entry":"nothing","mac":"bWFj"}`, 400)
	do("POST", "/moves/mov_us1_a:take", `{"n":2,"sealed":"`+string(make([]byte, 10))+`"}`, 400)
}
