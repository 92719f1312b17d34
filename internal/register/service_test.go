package register_test

import (
	"context"
	"testing"
	"time"

	"domicile.dev/internal/id"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/postgres"
	"domicile.dev/internal/store/sqlite"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/store/storetest"
	"domicile.dev/internal/store/storetest/pgtest"
)

type noLedger struct{}

func (noLedger) Enter(store.Tx, string, string, any) (id.Entry, error) { return id.NewEntry(), nil }
func (noLedger) Entered()                                              {}

func line(t *testing.T, kind, body string) register.New {
	t.Helper()
	l, err := register.ParseLine(kind, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return register.New{Line: l}
}

// TestFactsAreAddedOnceWhateverWriteFails: whichever write fails, before or after it happened, trying again
// ends with each fact there once, and the register that a node decides by is the one that the store has.
func TestFactsAreAddedOnceWhateverWriteFails(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		for _, when := range []storetest.When{storetest.Before, storetest.After} {
			t.Run(engine+" "+string(when), func(t *testing.T) {
				ctx := context.Background()
				for step := 1; ; step++ {
					var db store.DB
					var err error
					if engine == "sqlite" {
						db, err = sqlite.Open(ctx, t.TempDir(), sqlite.Options{Region: "ie1"})
					} else {
						db, err = postgres.Open(ctx, pgtest.URL(t), postgres.Options{Region: "ie1"})
					}
					if err != nil {
						t.Fatal(err)
					}
					f := storetest.NewFaults(db)
					s := register.Open(f, sqlstore.Registers{}, noLedger{}, register.Options{})
					if _, err := s.Current(ctx); err != nil {
						t.Fatal(err)
					}
					facts := []register.New{line(t, "pauses", `{"flow":"a","reason":"r","from":"2026-01-01"}`), line(t, "enablements", `{"tenant":"acme","recipient":"sp-11","from":"2026-01-01"}`)}
					f.FailAt(step, when)
					_, err = s.Add(ctx, register.Operator, facts...)
					fired := f.Fired()
					if fired && err == nil {
						t.Fatalf("write %d failed and nobody was told", step)
					}
					if !fired {
						_ = db.Close()
						if err != nil || step < 2 {
							t.Fatalf("%d writes were seen: %v", step-1, err)
						}
						return
					}
					if _, err := s.Add(ctx, register.Operator, facts...); err != nil {
						t.Fatalf("write %d: again: %v", step, err)
					}
					now, err := s.Current(ctx)
					if err != nil || len(now.Facts) != 2 || now.Seq != 2 || len(now.Register.Pauses) != 1 {
						t.Fatalf("write %d: %d facts, seq %d: %v", step, len(now.Facts), now.Seq, err)
					}
					other, err := register.Open(db, sqlstore.Registers{}, noLedger{}, register.Options{}).Current(ctx)
					if err != nil || other.Register.Version != now.Register.Version {
						t.Errorf("write %d: another node has another register: %v", step, err)
					}
					_ = db.Close()
				}
			})
		}
	}
}

// TestStampingHappensOnce: what an example assumes is noted at the first start, and never again, also when
// somebody struck it.
func TestStampingHappensOnce(t *testing.T) {
	ctx := context.Background()
	db, err := sqlite.Open(ctx, t.TempDir(), sqlite.Options{Region: "ie1"})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	s := register.Open(db, sqlstore.Registers{}, noLedger{}, register.Options{Now: func() time.Time { return now }})
	lines := []register.Line{line(t, "pauses", `{"flow":"a","reason":"r","from":"2026-01-01"}`).Line}
	if n, err := s.Stamp(ctx, lines); n != 1 || err != nil {
		t.Fatalf("stamped %d: %v", n, err)
	}
	standing, err := s.Current(ctx)
	if err != nil || len(standing.Facts) != 1 || !standing.Facts[0].Assumed {
		t.Fatalf("%+v: %v", standing, err)
	}
	if _, err := s.Strike(ctx, register.Operator, standing.Facts[0].ID); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Stamp(ctx, lines); n != 0 || err != nil {
		t.Errorf("stamped again %d: %v", n, err)
	}
	if standing, err = s.Current(ctx); err != nil || len(standing.Facts) != 0 {
		t.Errorf("%d stand: %v", len(standing.Facts), err)
	}
	if _, err := s.Pause(ctx, register.Operator, "a", "an incident"); err != nil {
		t.Fatal(err)
	}
	if standing, _ = s.Current(ctx); standing.Register.At(programme.DayOf(now)).Paused["a"].Says != "an incident" {
		t.Error("a paused flow isn't paused")
	}
	if rows, err := s.Resume(ctx, register.Operator, "a"); err != nil || len(rows) != 1 {
		t.Errorf("resumed %d: %v", len(rows), err)
	}
}
