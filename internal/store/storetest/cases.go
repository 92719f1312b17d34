package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/residency"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/vault"
)

// fill writes rows 0 to n-1 with a kilobyte each.
func (w *world) fill(n int) {
	w.Helper()
	w.do(func(c sqlstore.Conn) error {
		args := make([][]any, n)
		for i := range args {
			args[i] = []any{i, fmt.Sprint("label ", i), make([]byte, 1<<10)}
		}
		return c.ExecEach(insert, args)
	})
}

func testExecEach(t *testing.T, w *world) {
	w.do(func(c sqlstore.Conn) error { return c.ExecEach(insert, nil) })
	w.fill(1300) // more than a pipeline holds
	w.view(func(c sqlstore.Conn) error {
		got, err := numbers(c)
		if len(got) != 1300 || got[1299] != 1299 {
			t.Errorf("%d rows, want 1300", len(got))
		}
		return err
	})
	if w.try(func(c sqlstore.Conn) error {
		return c.ExecEach(insert, [][]any{{2000, "", nil}, {0, "", nil}, {2001, "", nil}})
	}) == nil {
		t.Error("a key that is there went in")
	}
	w.do(func(c sqlstore.Conn) error { // counts what a statement changed
		n, err := c.Exec(`DELETE FROM storetest WHERE cell = 1 AND n >= $1`, 3)
		if n != 1297 {
			t.Errorf("deleted %d rows, want 1297", n)
		}
		return err
	})
	w.mustHold(0, 1, 2)
}

func testQueryEach(t *testing.T, w *world) {
	w.fill(20)
	w.view(func(c sqlstore.Conn) error {
		args, want := make([][]any, 1100), []string(nil)
		for i := range args {
			args[i] = []any{i % 21} // 20 has no row
			if i%21 < 20 {
				want = append(want, fmt.Sprintf("%d: %d label %d", i, i%21, i%21))
			}
		}
		var got []string
		err := c.QueryEach(byN, args, func(i int, r sqlstore.Row) error {
			got = append(got, fmt.Sprintf("%d: %d %s", i, r.Int(0), r.Text(1)))
			return nil
		})
		if !slices.Equal(got, want) {
			t.Errorf("%d rows in this order, want %d in that of the arguments", len(got), len(want))
		}
		return err
	})
}

func testStop(t *testing.T, w *world) {
	w.fill(10)
	w.do(func(c sqlstore.Conn) error {
		seen := 0
		if err := c.Query(all, func(sqlstore.Row) error { seen++; return errStop }); !errors.Is(err, errStop) || seen != 1 {
			t.Errorf("Query = %v after %d rows, want the error of each after 1", err, seen)
		}
		seen = 0
		if err := c.QueryEach(byN, [][]any{{1}, {2}, {3}}, func(i int, _ sqlstore.Row) error {
			if seen++; i == 1 {
				return errStop
			}
			return nil
		}); !errors.Is(err, errStop) || seen != 2 {
			t.Errorf("QueryEach = %v after %d rows, want the error of each after 2", err, seen)
		}
		return put(c, 10)
	})
	w.mustHold(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
}

func testBusy(t *testing.T, w *world) {
	w.fill(2)
	n := int64(99)
	err := w.try(func(c sqlstore.Conn) error {
		return c.Query(byN, func(sqlstore.Row) error { n++; return put(c, n) }, 1)
	})
	if err == nil {
		t.Error("a statement ran inside a query's callback")
	}
	w.mustHold(0, 1)
}

func testGate(t *testing.T, w *world) {
	want := sqlstore.Gate{Pos: 5, Epoch: 4, ChangeSeq: 3, Manifest: 2, LedgerSize: 1, IndexFrom: 6, IndexTo: 7}
	w.do(func(c sqlstore.Conn) error { *c.Gate() = want; return nil })
	if err := w.try(func(c sqlstore.Conn) error { c.Gate().Pos = 99; return errStop }); !errors.Is(err, errStop) {
		t.Fatal(err)
	}
	w.view(func(c sqlstore.Conn) error {
		if got := *c.Gate(); got != want {
			t.Errorf("gate = %+v, want %+v", got, want)
		}
		return nil
	})
	w.do(func(c sqlstore.Conn) error {
		if got := *c.Gate(); got != want {
			t.Errorf("gate in Do = %+v, want %+v", got, want)
		}
		return nil
	})
}

func testGateBack(t *testing.T, w *world) {
	w.do(func(c sqlstore.Conn) error { c.Gate().Pos = 5; return nil })
	if w.try(func(c sqlstore.Conn) error { c.Gate().Pos = 4; return nil }) == nil {
		t.Error("the gate went back")
	}
}

func testLease(t *testing.T, w *world) {
	start := time.UnixMilli(1_790_000_000_000)
	const ttl = time.Minute
	for i, step := range []struct {
		holder string
		after  time.Duration
		want   bool
	}{
		{"a", 0, true},
		{"b", 0, false},
		{"a", 30 * time.Second, true}, // prolonged to 1m30s
		{"b", ttl, false},
		{"b", 90*time.Second - time.Millisecond, false},
		{"b", 90 * time.Second, true},
		{"a", 91 * time.Second, false}, // b's, to 2m30s
		{"a", 30 * time.Second, false}, // a clock that is a minute behind
		{"b", time.Hour, true},         // by a clock that was ahead
		{"b", 90 * time.Second, true},  // its own is right again
		{"b", time.Hour, true},
		{"a", 90 * time.Second, true}, // it doesn't hold others up for an hour
		{"b", 90 * time.Second, false},
		{"b", 151 * time.Second, true},
		{"b", 91 * time.Second, true},
	} {
		w.do(func(c sqlstore.Conn) error {
			got, err := sqlstore.Leases{}.Lease(c, "merge", step.holder, start.Add(step.after), ttl)
			if got != step.want {
				t.Errorf("step %d: Lease(%s, +%s) = %v, want %v", i, step.holder, step.after, got, step.want)
			}
			return err
		})
	}
	lease := func(holder string) (got bool) {
		w.do(func(c sqlstore.Conn) (err error) {
			got, err = sqlstore.Leases{}.Lease(c, "merge", holder, start.Add(91*time.Second), ttl)
			return err
		})
		return got
	}
	release := func(holder string) {
		w.do(func(c sqlstore.Conn) error { return sqlstore.Leases{}.Release(c, "merge", holder) })
	}
	if release("a"); lease("a") {
		t.Error("another node's release freed the lease")
	}
	if release("b"); !lease("a") {
		t.Error("a released lease was not free")
	}
}

func testMeta(t *testing.T, w *world) {
	for _, v := range []string{"one", "", "three"} {
		w.do(func(c sqlstore.Conn) error { return sqlstore.Metas{}.PutMeta(c, "x", []byte(v)) })
		w.view(func(c sqlstore.Conn) error {
			got, err := sqlstore.Metas{}.Meta(c, "x")
			if string(got) != v || got == nil {
				t.Errorf("Meta = %q (nil: %v), want %q", got, got == nil, v)
			}
			none, err2 := sqlstore.Metas{}.Meta(c, "y")
			if none != nil {
				t.Errorf("Meta of what was never put = %q", none)
			}
			return errors.Join(err, err2)
		})
	}
}

func testChanges(t *testing.T, w *world) {
	var ch sqlstore.Changes
	at := func(i int64) time.Time { return time.UnixMilli(1_790_000_000_000 + i).UTC() }
	w.do(func(c sqlstore.Conn) error {
		for i := range int64(5) {
			seq, err := ch.Change(c, "erase", 7, []byte{byte(i)}, at(i))
			if err != nil {
				return err
			}
			if seq != i+1 {
				t.Errorf("change %d has number %d", i, seq)
			}
		}
		return nil
	})
	check := func(after int64, wantLen int, wantWhole bool) {
		t.Helper()
		w.view(func(c sqlstore.Conn) error {
			got, whole, err := ch.ChangesSince(c, after)
			if len(got) != wantLen || whole != wantWhole {
				t.Errorf("ChangesSince(%d) = %d changes, whole %v; want %d, %v", after, len(got), whole, wantLen, wantWhole)
			}
			for i, g := range got {
				if n := g.Seq - 1; i > 0 && g.Seq != got[i-1].Seq+1 || g.Kind != "erase" || g.Tenant != 7 ||
					g.Subject[0] != byte(n) || !g.At.Equal(at(n)) {
					t.Errorf("change %d = %+v", i, g)
				}
			}
			return err
		})
	}
	check(0, 5, true)
	check(3, 2, true)
	check(5, 0, true)
	w.do(func(c sqlstore.Conn) error { _, err := ch.PruneChanges(c, at(2)); return err })
	check(0, 3, false)
	check(1, 3, false)
	check(2, 3, true)
}

func testMigrate(t *testing.T, w *world) {
	w.do(func(c sqlstore.Conn) error {
		return errors.Join(put(c, 1), sqlstore.Metas{}.PutMeta(c, "x", []byte("kept")))
	})
	w.do(sqlstore.Migrate)
	w.mustHold(1)
	w.view(func(c sqlstore.Conn) error {
		got, err := sqlstore.Metas{}.Meta(c, "x")
		if string(got) != "kept" {
			t.Errorf("Meta after Migrate = %q", got)
		}
		return err
	})
	w.do(func(c sqlstore.Conn) error {
		_, err := c.Exec(`INSERT INTO migration (cell, version, name) VALUES (1, 9999, 'of the future')`)
		return err
	})
	if err := w.try(sqlstore.Migrate); fault.ReasonOf(err) != "store.newer" {
		t.Errorf("Migrate of a newer store = %v, want store.newer", err)
	}
}

// testUpgrade turns the store into one of version 1 and migrates it, in one transaction: none can
// begin on a gate without its newer columns.
func testUpgrade(t *testing.T, w *world) {
	w.do(func(c sqlstore.Conn) error {
		for _, s := range []string{`DELETE FROM migration WHERE cell = 1 AND version > 1`, `ALTER TABLE source DROP COLUMN account`,
			`ALTER TABLE source DROP COLUMN sealed`, `ALTER TABLE source DROP COLUMN old_sealed`, `DROP TABLE violation`, `ALTER TABLE tenant DROP COLUMN settings`,
			`DROP TABLE move`, `DROP TABLE moved`, `DROP TABLE arrived`, `DROP TABLE arrived_record`, `DROP TABLE arrived_media`, `ALTER TABLE erased DROP COLUMN moved_to`, `ALTER TABLE erased DROP COLUMN move`,
			`DROP TABLE index_key`, `ALTER TABLE gate DROP COLUMN index_from`, `ALTER TABLE gate DROP COLUMN index_to`,
			`DROP TABLE flow_stream`, `DROP TABLE flow_batch`, `DROP TABLE flow_reach`, `DROP TABLE flow_count`,
			`DROP TABLE thing`, `DROP TABLE refused_link`, `ALTER TABLE identifier DROP COLUMN retired_at`,
			`INSERT INTO epoch (cell, n, created_at, destroyed_at, kcv) VALUES (1, 1, 5000, 0, '')`,
			`DROP TABLE media`, `DROP TABLE media_key`, `DROP TABLE media_fetch`, `DROP TABLE register_fact`, `DROP TABLE collected`, `DROP TABLE unmapped`,
			`DROP TABLE standing`, `DROP TABLE word`,
			`ALTER TABLE subject DROP COLUMN numbers`, `ALTER TABLE subject DROP COLUMN residence`, `ALTER TABLE subject DROP COLUMN declared_at`, `ALTER TABLE subject DROP COLUMN declared_by`,
			`DROP TABLE pseudonym`, `DROP TABLE told`, `DROP TABLE told_key`, `DROP TABLE flow_refused`, `DROP TABLE flow_sent`,
			`DROP TABLE corrected`, `DROP TABLE told_open`, `DROP TABLE move_word`, `DROP TABLE heard`,
			`DROP TABLE publication`, `DROP TABLE announced`, `DROP TABLE recipient_objection`, `DROP TABLE objection_settled`, `DROP TABLE subscriber`, `DROP TABLE outbox`,
			`INSERT INTO tenant (cell, id, tenant, name, disabled, created_at, version) VALUES (1, 'acme', 1, '', 0, 0, 1)`} {
			if _, err := c.Exec(s); err != nil {
				return err
			}
		}
		if _, err := c.Exec(`INSERT INTO source (tenant, id, name, adapter, service, trust, disabled, created_at, hash, old_hash, old_ends)
			VALUES (1, 'src_ie1_a', 'n', 'segment', 'cdp', 'public', 0, 5, $1, $2, 0)`, []byte("hash"), []byte{}); err != nil {
			return err
		}
		if err := (sqlstore.Metas{}).PutMeta(c, "vault/check/index/1", []byte("check")); err != nil {
			return err
		}
		return sqlstore.Migrate(c)
	})
	w.view(func(c sqlstore.Conn) error {
		from, to, _ := sqlstore.Vaults{}.IndexInForce(c)
		all, err := sqlstore.Vaults{}.IndexVersions(c)
		want := []vault.IndexVersion{{N: 1, CreatedAt: time.UnixMilli(5000).UTC(), Check: []byte("check")}}
		if err == nil && (from != 1 || to != 1 || !reflect.DeepEqual(all, want)) {
			t.Errorf("index keys %d to %d count of %+v, want 1 of %+v", from, to, all, want)
		}
		return err
	})
	w.view(func(c sqlstore.Conn) error {
		a, found, err := sqlstore.Tenants{}.Account(c, "acme")
		if err == nil && (!found || len(a.Sources) != 1 || a.Settings != nil) {
			t.Fatalf("the account has %d sources, want 1, and settings %v", len(a.Sources), a.Settings)
		}
		if err == nil {
			if s := a.Sources[0]; s.ID != "src_ie1_a" || string(s.Hash) != "hash" || s.Account != "" || len(s.Sealed)+len(s.OldSealed) != 0 {
				t.Errorf("the source became %+v", s)
			}
		}
		return err
	})
}

func testSources(t *testing.T, w *world) {
	var ts sqlstore.Tenants
	acme := tenant.Tenant{No: 1, ID: "acme", Settings: &residency.Settings{Pin: true, Placement: []residency.Rule{{By: residency.ByResidence,
		Paths: []string{"country"}, Countries: map[string]string{"DE": "ie1"}}}}}
	want := tenant.StoredSource{Source: tenant.Source{Tenant: 1, TenantID: "acme", ID: "src_ie1_a", Name: "n", Adapter: "twilio", Trust: "server",
		Account: "AC01", CreatedAt: time.UnixMilli(1000).UTC()}, Secret: tenant.Secret{Hash: []byte("h1"), Old: []byte{}}, Sealed: []byte{0, 1, 0xff}, OldSealed: []byte{}}
	check := func() {
		t.Helper()
		w.do(func(c sqlstore.Conn) error { return errors.Join(ts.PutTenant(c, acme), ts.PutSource(c, want)) })
		w.view(func(c sqlstore.Conn) error {
			all, err := ts.ChangedSince(c, 0)
			if err == nil && (len(all) != 1 || len(all[0].Sources) != 1 || !reflect.DeepEqual(all[0].Sources[0], want) ||
				!reflect.DeepEqual(all[0].Settings, acme.Settings)) {
				t.Errorf("read %+v, want %+v", all, want)
			}
			return err
		})
	}
	check()
	ends := time.UnixMilli(2000).UTC()
	want.Hash, want.Old, want.OldEnds, want.OldKeyValidTo = []byte("h2"), []byte("h1"), ends, ends
	want.Sealed, want.OldSealed = []byte{2}, want.Sealed
	check()
}

func testStamp(t *testing.T, w *world) {
	if err := w.try(func(c sqlstore.Conn) error { return sqlstore.Stamp(c, "xx9") }); fault.ReasonOf(err) != "store.other_region" {
		t.Errorf("Stamp for another region = %v, want store.other_region", err)
	}
	w.do(func(c sqlstore.Conn) error { return sqlstore.Stamp(c, Region) })
}

// Region is the region that open stamps its stores with.
const Region = "ie1"
