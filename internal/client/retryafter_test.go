package client_test

import (
	"net/http"
	"testing"
	"time"

	"domicile.dev/internal/client"
	"domicile.dev/internal/fault"
)

// Whatever a busy node, or what stands before it, says of how long: it is busy, and that passes.
func TestAnOddRetryAfterEndsNothing(t *testing.T) {
	for _, v := range []string{"-1", "-9223372036854775809", "soon", "", "1.5", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)} {
		s, asked := answering(t, client.SenderOptions{}, status(503, "", "Retry-After", v), status(200, takenAnswer))
		if _, err := s.Send(t.Context(), []byte("records")); err != nil || asked.Load() != 2 {
			t.Errorf("%q: %v after %d tries", v, err, asked.Load())
		}
	}
	// It is waited for as long as patience lasts, and not less because it is very long.
	for _, v := range []string{"9223372036854775807", "99999999999999999999", "10000000000", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)} {
		s, asked := answering(t, client.SenderOptions{Patience: time.Second}, status(503, `{"reason":"x.y"}`, "Retry-After", v))
		if _, err := s.Send(t.Context(), []byte("records")); fault.ReasonOf(err) != "x.y" || asked.Load() != 1 {
			t.Errorf("%q: %v after %d tries, want to wait, and no patience for it", v, err, asked.Load())
		}
	}
}
