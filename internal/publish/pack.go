package publish

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"

	"domicile.dev/internal/programme"
)

// maxProgrammeBytes bounds what is read back; a programme's files have less together.
const maxProgrammeBytes = 32 << 20

var packer = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // the options are constants
	}
	return e
})

// pack writes a programme as it is kept: its canonical JSON, zstd.
func pack(p *programme.Programme) ([]byte, error) {
	b, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("write the programme: %w", err)
	}
	return packer().EncodeAll(b, nil), nil
}

// unpack loads a programme that was kept, and checks that it is the one.
func unpack(src []byte, hash string) (*programme.Programme, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(maxProgrammeBytes))
	if err != nil {
		return nil, fmt.Errorf("read a published programme: %w", err)
	}
	defer d.Close()
	b, err := d.DecodeAll(src, nil)
	if err != nil {
		return nil, fmt.Errorf("read a published programme: %w", err)
	}
	p, err := programme.FromJSON(b)
	if err != nil {
		return nil, fmt.Errorf("read a published programme: %w", err)
	}
	if p.Hash != hash {
		return nil, fmt.Errorf("a published programme has the hash %s, and %s was published", p.Hash, hash)
	}
	return p, nil
}
