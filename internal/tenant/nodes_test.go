package tenant_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/store"
)

// shared is a store that other nodes write to as well.
type shared struct {
	store.DB
	down bool
}

func (*shared) Engine() string { return "postgres" }

func (s *shared) View(ctx context.Context, fn func(store.Tx) error) error {
	if s.down {
		return errors.New("down")
	}
	return s.DB.View(ctx, fn)
}

func TestAKeyMadeOnAnotherNodeWorksAtOnce(t *testing.T) {
	w := newWorld(t)
	c, _ := w.tenant("acme")
	db := &shared{DB: w.db}
	other := w.open(db)
	_, key := w.source(c)
	if _, err := other.SourceByKey(key); err != nil {
		t.Errorf("key of a moment ago: %v", err)
	}
	db.down = true
	_, err := other.SourceByKey(key[:len(key)-4] + "aaaa")
	wantFault(t, err, fault.Unavailable, "credential.unchecked") // not 401, for which SDKs throw data away
	if _, err := other.SourceByKey(key); err != nil {
		t.Errorf("a known key while the store is down: %v", err)
	}
}

func TestWhatAnotherNodeDisabledStopsHere(t *testing.T) {
	w := newWorld(t)
	c, _ := w.tenant("acme")
	s, key := w.source(c)
	other := w.openPolling(&shared{DB: w.db})
	if _, err := other.SourceByKey(key); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { other.Run(ctx); close(ended) }()
	if _, _, err := w.SetSource(t.Context(), c, "acme", s.ID, true); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; {
		if _, err := other.SourceByKey(key); fault.ReasonOf(err) == "source.disabled" {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the other node still takes the key")
		}
		runtime.Gosched()
	}
	stop()
	<-ended
}
