package storetest

import (
	"reflect"
	"testing"
	"time"

	"domicile.dev/internal/publish"
	"domicile.dev/internal/store/sqlstore"
)

// testSettlement settles one of two objections of the same instant, twice.
func testSettlement(t *testing.T, w *world) {
	var p sqlstore.Publications
	at := func(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
	first := publish.Objection{Tenant: 1, TenantID: "acme", Recipient: "sp-1", MadeAt: at(5)}
	other := publish.Objection{Tenant: 2, TenantID: "globex", Recipient: "sp-1", MadeAt: at(5)}
	settled := first
	want := func(when string, tenant uint32, all ...publish.Objection) {
		t.Helper()
		w.view(func(c sqlstore.Conn) error {
			got, err := p.Objections(c, tenant)
			if err == nil && !reflect.DeepEqual(got, all) {
				t.Errorf("%s: %+v, want %+v", when, got, all)
			}
			return err
		})
	}
	w.do(func(c sqlstore.Conn) error {
		if err := p.PutObjection(c, first); err != nil {
			return err
		}
		return p.PutObjection(c, other)
	})
	want("at first", 0, first, other)
	for i, s := range []publish.Settlement{{At: at(6), Outcome: publish.Kept, Entry: "led_1"}, {At: at(7), Outcome: publish.Lifted, Reason: "tenant_agreed", Entry: "led_2"}} {
		settled.Settled = s
		w.do(func(c sqlstore.Conn) error { return p.PutSettlement(c, settled) })
		want(s.Outcome, 0, settled, other)
		want(s.Outcome+", its tenant", 1, settled)
		if settled.Stands() != (i == 0) {
			t.Errorf("%s: stands %v", s.Outcome, settled.Stands())
		}
	}
	want("of the other tenant", 2, other)
}
