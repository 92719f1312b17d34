package api_test

import (
	"context"
	"testing"
	"time"

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
	return dataplane.Ack{Move: move, Subject: subject(2), Next: "02", Records: 3, Person: []byte{5}, Entry: id.NewEntry(), MAC: []byte{6}}, nil
}

func (m *mover) CommitMove(_ context.Context, c *tenant.Caller, ack dataplane.Ack) (dataplane.Departed, error) {
	m.note(c, "commit "+ack.Move+" "+ack.Subject.String()+" "+ack.Next+" "+string(ack.MAC))
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
	do("POST", "/moves/mov_us1_a:commit", `{"subject":"`+sub+`","next":"02","records":3,"person":"YQ==","entry":"led_aaaaaaaaaaaaaaaaaaaa","mac":"bWFj"}`, 200)
	do("POST", "/moves/mov_us1_a:activate", `{"proof":"YWJj"}`, 200)
	do("POST", "/moves/mov_us1_a:cancel", "", 200)
	want := []string{"acme open ie1", "acme begin " + sub + " us1 mov_us1_a abc", "acme page mov_us1_a 01", "acme take mov_us1_a abc", "acme arrive mov_us1_a abc",
		"acme commit mov_us1_a " + sub + " 02 mac", "acme activate mov_us1_a abc", "acme cancel mov_us1_a "}
	for i, a := range w.moves.asked {
		if i >= len(want) || a != want[i] {
			t.Errorf("asked %q, want %q", w.moves.asked, want)
			break
		}
	}
	do("GET", "/moves/mov_us1_a/page?n=0", "", 400)
	do("POST", "/moves/mov_us1_a:commit", `{"subject":"`+sub+`","records":3,"person":"YQ==","entry":"nothing","mac":"bWFj"}`, 400)
	do("POST", "/moves/mov_us1_a:take", `{"n":2,"sealed":"`+string(make([]byte, 10))+`"}`, 400)
}
