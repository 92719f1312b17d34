package postgres

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

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

// waiting runs write on a server that waits for a standby which isn't there, and returns once its
// commit waits, which is seen from on.
func waiting(t *testing.T, server *pgtest.Server, on *DB, write func() error) (done chan error) {
	t.Helper()
	server.Set(t, "synchronous_standby_names", "'nobody'")
	untilCommitsWait(t, server, on)
	done = make(chan error, 1)
	go func() { done <- write() }()
	for !inReplication(t, on, `SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'`) {
		select {
		case err := <-done:
			t.Fatalf("the commit was answered (%v) before anything was replicated", err)
		default:
		}
	}
	return done
}

// untilCommitsWait returns once commits wait for a standby. Sessions know of a setting before the
// process does that makes them wait.
func untilCommitsWait(t *testing.T, server *pgtest.Server, on *DB) {
	t.Helper()
	probe := func(sql string) error {
		c, err := pgx.Connect(t.Context(), server.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(context.Background())
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err = c.Exec(ctx, sql)
		return err
	}
	for probe(`CREATE TABLE probe_`+strings.ToLower(rand.Text()[:12])+` (x integer)`) == nil {
	}
	for inReplication(t, on, `SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'`) { // the probe's own
	}
}

func inReplication(t *testing.T, db *DB, sql string) (found bool) {
	t.Helper()
	if err := db.View(t.Context(), func(tx store.Tx) error {
		return tx.(sqlstore.Conn).Query(sql, func(r sqlstore.Row) error { found = r.Int(0) == 1; return nil })
	}); err != nil {
		t.Fatal(err)
	}
	return found
}

// A cancelled wait for synchronous replication answers COMMIT, with a warning.
func TestACommitWithAWarningIsNotAcknowledged(t *testing.T) {
	server := pgtest.Start(t)
	db, on := open(t, server.URL, Options{}), open(t, server.URL, Options{})
	done := waiting(t, server, on, func() error { return putMeta(db, "x") })
	if !inReplication(t, on, `SELECT pg_cancel_backend(pid)::int FROM pg_stat_activity WHERE wait_event = 'SyncRep'`) {
		t.Fatal("no commit to cancel")
	}
	if err := <-done; fault.ReasonOf(err) != "store.not_replicated" || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("Do = %v, want store.not_replicated", err)
	}
	// The retry finds the value there, writes nothing, and waits all the same.
	done = waiting(t, server, on, func() error {
		return do(context.Background(), db, func(sqlstore.Conn) error { return nil })
	})
	server.Set(t, "synchronous_standby_names", "''")
	if err := <-done; err != nil {
		t.Errorf("the retry, once nothing is waited for: %v", err)
	}
	mustHold(t, db, "x", true)
}

func TestALostAnswerIsAnUnknownOutcome(t *testing.T) {
	server := pgtest.Start(t)
	db, on := open(t, server.URL, Options{}), open(t, server.URL, Options{})
	done := waiting(t, server, on, func() error { return putMeta(db, "x") })
	if !inReplication(t, on, `SELECT pg_terminate_backend(pid)::int FROM pg_stat_activity WHERE wait_event = 'SyncRep'`) {
		t.Fatal("no commit to end")
	}
	if err := <-done; fault.ReasonOf(err) != "store.unknown_outcome" || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("Do = %v, want store.unknown_outcome", err)
	}
	server.Set(t, "synchronous_standby_names", "''")
	mustHold(t, db, "x", true) // it was committed after all, on this server
}

// A caller who goes away while the commit waits doesn't cancel it, and hears its outcome.
func TestACommitIsNotCancelled(t *testing.T) {
	server := pgtest.Start(t)
	db, on := open(t, server.URL, Options{}), open(t, server.URL, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	done := waiting(t, server, on, func() error {
		return do(ctx, db, func(c sqlstore.Conn) error { return sqlstore.Metas{}.PutMeta(c, "x", nil) })
	})
	cancel()
	if !inReplication(t, on, `SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'`) {
		t.Error("the commit waits no more")
	}
	server.Set(t, "synchronous_standby_names", "''")
	if err := <-done; err != nil {
		t.Errorf("Do = %v", err)
	}
	mustHold(t, db, "x", true)
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
