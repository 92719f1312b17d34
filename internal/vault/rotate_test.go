package vault_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/vault"
)

func TestRotateMakesOldCopiesWorthless(t *testing.T) {
	w := newWorld(t)
	v := w.open()
	w.mint(v, 7)
	gone := w.people[2]
	copied := w.erase(gone)
	r, err := v.Rotate(t.Context(), start.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if r.From != 1 || r.To != 2 || r.Rewrapped != 6 || !slices.Equal(r.Destroyed, []uint32{1}) || r.Resumed {
		t.Errorf("report %+v", r)
	}
	w.mustRead(v)
	if got := w.epochKeys(); !slices.Equal(got, []string{vault.EpochName(2)}) {
		t.Errorf("keyring has %v, want the second epoch's key alone", got)
	}
	v = w.open() // a thief with the newest keyring and an old copy of the store
	if _, err := v.Unwrap(tenantID(gone.tenant), gone.id, copied); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("unwrap of an erased person's old copy: %v, want unavailable", err)
	}
}

// TestRotateStoppedAtEveryWrite stops a rotation at each of its writes, either way, starts the
// node anew, lets a person be erased and another come, and rotates again.
func TestRotateStoppedAtEveryWrite(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		for step := 1; ; step++ {
			w := newWorld(t)
			w.mint(w.open(), 5)
			v, err := w.failing(step, when)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = v.Rotate(t.Context(), start.Add(time.Hour)); err == nil && w.step < step {
				if step < 8 {
					t.Fatalf("a rotation of five keys made only %d writes", w.step)
				}
				break
			}
			w.at = 0
			w.mustReadAnyEpoch(v) // the node goes on without a restart
			later := start.Add(vaultLease)
			w.opt.Now = func() time.Time { return later }
			v = w.open()
			w.mustReadAnyEpoch(v)
			copied, gone := w.wrapped(w.people[0]), w.people[0]
			w.erase(gone)
			w.mint(v, 1)
			r, err := v.Rotate(t.Context(), later)
			if err != nil {
				t.Fatalf("write %d (%s): second try: %v", step, when, err)
			}
			w.mustRead(v)
			if got := w.epochKeys(); !slices.Equal(got, []string{vault.EpochName(r.To)}) {
				t.Errorf("write %d (%s): keyring has %v, want epoch %d alone", step, when, got, r.To)
			}
			if _, err := w.open().Unwrap(tenantID(gone.tenant), gone.id, copied); err == nil {
				t.Errorf("write %d (%s): an erased person's old copy opens", step, when)
			}
		}
	}
}

const vaultLease = 11 * time.Minute // past the lease of a node that died

func (w *world) mustReadAnyEpoch(v *vault.Vault) {
	w.t.Helper()
	for _, p := range w.people {
		if _, err := v.Unwrap(tenantID(p.tenant), p.id, w.wrapped(p)); err != nil {
			w.t.Fatalf("write %d (%s): %v", w.at, w.when, err)
		}
	}
}

func TestOneBrokenKeyStopsNobodyElse(t *testing.T) {
	w := newWorld(t)
	v := w.open()
	w.mint(v, 5)
	hurt := w.people[1]
	w.do(func(c sqlstore.Conn) error {
		_, err := c.Exec(`UPDATE subject SET wrapped = $1 WHERE subject = $2`, make([]byte, vault.WrappedBytes), hurt.id[:])
		return err
	})
	w.people = slices.Delete(w.people, 1, 2)
	for want := uint32(2); want <= 3; want++ {
		r, err := v.Rotate(t.Context(), start)
		if fault.ReasonOf(err) != "vault.keys_broken" {
			t.Fatalf("rotate: %v, want vault.keys_broken", err)
		}
		if r.To != want {
			t.Errorf("went to epoch %d, want %d", r.To, want)
		}
		w.mustRead(v)
	}
	if got, want := w.epochKeys(), []string{vault.EpochName(1), vault.EpochName(3)}; !slices.Equal(got, want) {
		t.Errorf("keyring has %v, want %v: the broken key's epoch is kept", got, want)
	}
	w.erase(hurt)
	if _, err := v.Rotate(t.Context(), start); err != nil {
		t.Errorf("rotate after erasing the broken one: %v", err)
	}
	if got := w.epochKeys(); len(got) != 1 {
		t.Errorf("keyring has %v, want one epoch key", got)
	}
}

func TestAnotherNodeFollowsAtItsNextCommit(t *testing.T) {
	w := newWorld(t)
	a, b := w.open(), w.open()
	w.mint(a, 3)
	if _, err := a.Rotate(t.Context(), start); err != nil {
		t.Fatal(err)
	}
	if b.Epoch() != 1 {
		t.Fatal("b learned of the epoch without looking")
	}
	w.mint(b, 2) // fences
	if b.Epoch() != 2 {
		t.Errorf("b wraps under epoch %d, want 2", b.Epoch())
	}
	w.mustRead(b)
}

func TestOneNodeRotatesAtATime(t *testing.T) {
	w := newWorld(t)
	a := w.open()
	w.do(func(c sqlstore.Conn) error {
		_, err := sqlstore.Leases{}.Lease(c, "rotate", "another", start, time.Minute)
		return err
	})
	if _, err := a.Rotate(t.Context(), start); fault.ReasonOf(err) != "vault.rotating" {
		t.Errorf("rotate beside another node: %v, want vault.rotating", err)
	}
}

func TestRunRotatesWhenTheEpochIsOver(t *testing.T) {
	w := newWorld(t)
	now := start
	w.opt.Now = func() time.Time { return now }
	v := w.open()
	w.mint(v, 3)
	run := func() { // Run looks at once, then waits: one look is enough
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		w.opt.CheckEvery = time.Hour
		go func() { v.Run(ctx); close(done) }()
		cancelAfterLook(t, w, v, cancel)
		<-done
	}
	run()
	if v.Epoch() != 1 {
		t.Errorf("rotated to %d on the first day", v.Epoch())
	}
	if got, want := v.UnrecoverableBy(now), start.Add(8*24*time.Hour); !got.Equal(want) {
		t.Errorf("unrecoverable by %v, want %v: the epoch's end and a day", got, want)
	}
	now = start.Add(7 * 24 * time.Hour)
	if got, want := v.UnrecoverableBy(now.Add(time.Hour)), now.Add(25*time.Hour); !got.Equal(want) {
		t.Errorf("overdue: unrecoverable by %v, want %v", got, want)
	}
	run()
	if v.Epoch() != 2 {
		t.Errorf("epoch %d after seven days, want 2", v.Epoch())
	}
	w.mustRead(v)
}

// cancelAfterLook cancels once Run has looked: it ends a look that found work only when it is done,
// because a cancelled rotation would leave the lease.
func cancelAfterLook(t *testing.T, w *world, v *vault.Vault, cancel func()) {
	t.Helper()
	due := w.opt.Now().Sub(start) >= 7*24*time.Hour
	for due {
		left := 0
		if err := w.db.View(t.Context(), func(tx store.Tx) error {
			es, err := sqlstore.Vaults{}.Epochs(tx)
			for _, e := range es[:len(es)-1] {
				if e.DestroyedAt.IsZero() {
					left++
				}
			}
			due = len(es) < 2 || left > 0
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
}

// TestRotationBesideWork rotates while others mint, read and blind: with -race it looks for races,
// without for keys that can't be read.
func TestRotationBesideWork(t *testing.T) {
	w := newWorld(t)
	w.opt.CacheEntries = 32
	v := w.open()
	w.mint(v, 8)
	stop := make(chan struct{})
	var work sync.WaitGroup
	for i := range 3 {
		work.Go(func() {
			p := w.people[i]
			for {
				select {
				case <-stop:
					return
				default:
				}
				var k vault.Wrapped
				err := w.db.View(context.Background(), func(tx store.Tx) error {
					return tx.(sqlstore.Conn).Query(`SELECT key_epoch, wrapped FROM subject WHERE tenant = $1 AND subject = $2`,
						func(r sqlstore.Row) error { k = vault.Wrapped{Epoch: uint32(r.Int(0)), Bytes: r.Bytes(1)}; return nil }, p.tenant, p.id[:])
				})
				if err == nil {
					_, err = v.Unwrap(tenantID(p.tenant), p.id, k)
				}
				if err != nil && fault.ReasonOf(err) != "vault.epoch_destroyed" { // read just before a rotation ended
					t.Errorf("beside a rotation: %v", err)
					return
				}
				v.IndexKeys().Blinder(tenantID(p.tenant)).Identifier("email", p.id[:])
				if _, _, err := v.Mint("acme", id.NewSubject()); err != nil {
					t.Errorf("mint beside a rotation: %v", err)
					return
				}
			}
		})
	}
	for range 5 {
		if _, err := v.Rotate(t.Context(), start); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	work.Wait()
	w.mustRead(v)
}
