package wire

import (
	"bytes"

	"github.com/klauspost/compress/gzip"
)

// Gzip returns b compressed, the same bytes for the same b.
func Gzip(b []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestSpeed) // the level is a valid one
	_, _ = w.Write(b)                                 // a Buffer takes everything
	_ = w.Close()
	return out.Bytes()
}
