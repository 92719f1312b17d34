package postgres

import (
	"context"
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/store/storetest"
	"domicile.dev/internal/store/storetest/pgtest"
)

func open(t testing.TB, url string, opt Options) *DB {
	t.Helper()
	if opt.Region == "" {
		opt.Region = storetest.Region
	}
	db, err := Open(context.Background(), url, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func do(ctx context.Context, db *DB, fn func(c sqlstore.Conn) error) error {
	return db.Do(ctx, func(tx store.Tx) error { return fn(tx.(sqlstore.Conn)) })
}

func putMeta(db *DB, name string) error {
	return do(context.Background(), db, func(c sqlstore.Conn) error { return sqlstore.Metas{}.PutMeta(c, name, []byte(name)) })
}

func mustHold(t *testing.T, db *DB, name string, want bool) {
	t.Helper()
	if err := db.View(context.Background(), func(tx store.Tx) error {
		v, err := sqlstore.Metas{}.Meta(tx, name)
		if (v != nil) != want {
			t.Errorf("the store has %s: %v, want %v", name, v != nil, want)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t testing.TB) store.DB { return open(t, pgtest.URL(t), Options{}) })
	storetest.RunShared(t, func(t testing.TB) (a, b store.DB) {
		url := pgtest.URL(t)
		return open(t, url, Options{}), open(t, url, Options{})
	})
}

func TestNodesThatStartAtOnceOnAnEmptyDatabase(t *testing.T) {
	url := pgtest.URL(t)
	failed := make(chan error)
	for range 4 {
		go func() {
			db, err := Open(t.Context(), url, Options{Region: "ie1"})
			if err == nil {
				err = db.Close()
			}
			failed <- err
		}()
	}
	for range 4 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}

// fn runs again when the server breaks a conflict, and not for ever.
func TestConflictsAreTriedAgain(t *testing.T) {
	db := open(t, pgtest.URL(t), Options{})
	raise := func(c sqlstore.Conn) error {
		_, err := c.Exec(`DO $$ BEGIN RAISE EXCEPTION 'conflict' USING ERRCODE = '40001'; END $$`)
		return err
	}
	runs := 0
	if err := do(t.Context(), db, func(c sqlstore.Conn) error {
		if runs++; runs < 3 {
			return raise(c)
		}
		return sqlstore.Metas{}.PutMeta(c, "x", nil)
	}); err != nil || runs != 3 {
		t.Errorf("Do = %v after %d runs, want success in the third", err, runs)
	}
	runs = 0
	if err := do(t.Context(), db, func(c sqlstore.Conn) error { runs++; return raise(c) }); err == nil || runs != maxTries {
		t.Errorf("Do = %v after %d runs, want an error after %d", err, runs, maxTries)
	}
}

// A cancelled wait for synchronous replication answers COMMIT, with a warning.
func TestACommitWithAWarningIsNotAcknowledged(t *testing.T) {
	server := pgtest.Start(t)
	db := open(t, server.URL, Options{})
	other := open(t, server.URL, Options{})
	server.Set(t, "synchronous_standby_names", "'a standby that is not there'")
	done := make(chan error, 1)
	go func() { done <- putMeta(db, "x") }()
	cancelled := false
	for !cancelled { // until it waits; then an administrator cancels it
		if err := other.View(t.Context(), func(tx store.Tx) error {
			return tx.(sqlstore.Conn).Query(`SELECT pg_cancel_backend(pid)::int FROM pg_stat_activity WHERE wait_event = 'SyncRep'`,
				func(r sqlstore.Row) error { cancelled = r.Int(0) == 1; return nil })
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; fault.ReasonOf(err) != "store.not_replicated" || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("Do = %v, want store.not_replicated", err)
	}
	// A retry finds the value there, writes nothing, and waits all the same.
	go func() { done <- do(context.Background(), db, func(sqlstore.Conn) error { return nil }) }()
	waits := false
	for !waits {
		select {
		case err := <-done:
			t.Fatalf("the retry was answered (%v) before anything was replicated", err)
		default:
		}
		if err := other.View(t.Context(), func(tx store.Tx) error {
			return tx.(sqlstore.Conn).Query(`SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`,
				func(r sqlstore.Row) error { waits = r.Int(0) == 1; return nil })
		}); err != nil {
			t.Fatal(err)
		}
	}
	server.Set(t, "synchronous_standby_names", "''")
	if err := <-done; err != nil {
		t.Errorf("the retry once nothing is waited for = %v", err)
	}
	mustHold(t, db, "x", true)
}

// The commit of a caller who went away is waited for, and holds.
func TestALostAnswerIsAnUnknownOutcome(t *testing.T) {
	server := pgtest.Start(t)
	db := open(t, server.URL, Options{})
	other := open(t, server.URL, Options{})
	server.Set(t, "synchronous_standby_names", "'a standby that is not there'")
	done := make(chan error, 1)
	go func() { done <- putMeta(db, "x") }()
	killed := false
	for !killed {
		if err := other.View(t.Context(), func(tx store.Tx) error {
			return tx.(sqlstore.Conn).Query(`SELECT pg_terminate_backend(pid)::int FROM pg_stat_activity WHERE wait_event = 'SyncRep'`,
				func(r sqlstore.Row) error { killed = r.Int(0) == 1; return nil })
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; fault.KindOf(err) != fault.Unavailable ||
		fault.ReasonOf(err) != "store.unknown_outcome" && fault.ReasonOf(err) != "store.not_replicated" {
		t.Errorf("Do = %v, want store.unknown_outcome", err)
	}
	server.Set(t, "synchronous_standby_names", "''")
	mustHold(t, db, "x", true) // it was committed on this server after all
}

func TestAcknowledgedSurvivesAKillAndThePoolRecovers(t *testing.T) {
	server := pgtest.Start(t)
	db := open(t, server.URL, Options{})
	if err := putMeta(db, "before"); err != nil {
		t.Fatal(err)
	}
	server.Kill(t)
	if err := putMeta(db, "while"); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("Do without a server = %v, want unavailable", err)
	}
	if err := db.View(t.Context(), func(store.Tx) error { return nil }); fault.ReasonOf(err) != "store.unavailable" {
		t.Errorf("View without a server = %v, want store.unavailable", err)
	}
	server.Restart(t)
	if err := putMeta(db, "after"); err != nil {
		t.Errorf("Do once the server is back: %v", err)
	}
	mustHold(t, db, "before", true)
	mustHold(t, db, "while", false)
	mustHold(t, db, "after", true)
}

// A caller who goes away while his commit waits gets its outcome all the same.
func TestACommitIsNotCancelled(t *testing.T) {
	db := open(t, pgtest.URL(t), Options{})
	ctx, cancel := context.WithCancel(t.Context())
	err := do(ctx, db, func(c sqlstore.Conn) error {
		if err := (sqlstore.Metas{}).PutMeta(c, "x", nil); err != nil {
			return err
		}
		// runs at commit: the context ends while the commit is under way
		if _, err := c.Exec(`CREATE TABLE slow (n integer NOT NULL)`); err != nil {
			return err
		}
		if _, err := c.Exec(`CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$`); err != nil {
			return err
		}
		if _, err := c.Exec(`CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()`); err != nil {
			return err
		}
		_, err := c.Exec(`INSERT INTO slow (n) VALUES (1)`)
		context.AfterFunc(t.Context(), cancel)
		go func() { // as soon as the commit is on its way
			for c.(*tx).c.PgConn().IsBusy() {
				break
			}
			cancel()
		}()
		return err
	})
	if err != nil && ctx.Err() == nil {
		t.Errorf("Do = %v", err)
	}
	if err == nil {
		mustHold(t, db, "x", true)
	}
}
