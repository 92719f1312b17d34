package seal

import (
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"

	"domicile.dev/internal/fault"
)

// Codecs, the first byte of a packed part. A number is never given a second meaning.
const (
	codecStored = 0 // the plaintext
	codecShape1 = 1 // shape code under dictionary 1
	codecZstd   = 2 // one zstd frame that says its content size
)

const (
	// shapeBytes is up to where the shape coder stands alone: below it zstd's frame and tables cost
	// more than they save.
	shapeBytes = 1 << 10
	// shapeMost is up to where it still competes; beyond, whatever repeats, zstd finds better.
	shapeMost = 8 << 10
	// zstdMost is up to where zstd is used: its decoder holds a whole frame.
	zstdMost = 64 << 20
	// windowBytes bounds the memory of both directions of zstd.
	windowBytes = 256 << 10
)

// Pack appends plaintext, compressed by itself, and returns the extended dst: a codec byte, then
// the body. It adds at most len(plaintext)+1 bytes when that is all that compression achieves.
func Pack(dst, plaintext []byte) []byte {
	start := len(dst)
	if len(plaintext) <= shapeMost {
		dst = encodeShape(append(dst, codecShape1), plaintext, dict1)
	}
	if len(plaintext) > shapeBytes && len(plaintext) <= zstdMost {
		shape := len(dst)
		dst = append(dst, codecZstd)
		dst = zstdEncoder().EncodeAll(plaintext, dst)
		if shape > start && shape-start <= len(dst)-shape {
			dst = dst[:shape]
		} else {
			dst = append(dst[:start], dst[shape:]...)
		}
	}
	if n := len(dst) - start; n > len(plaintext) || n == 0 {
		dst = append(append(dst[:start], codecStored), plaintext...)
	}
	return dst
}

// Unpack appends what Pack was given and returns the extended dst. It returns a fault of kind
// Invalid when packed is damaged, of an unknown codec, or holds more than most bytes; dst is then
// as it was.
func Unpack(dst, packed []byte, most int) ([]byte, error) {
	if len(packed) == 0 {
		return dst, damaged("it is empty")
	}
	start, body := len(dst), packed[1:]
	var err error
	switch packed[0] {
	case codecStored:
		if len(body) > most {
			return dst, damaged("it is too long")
		}
		return append(dst, body...), nil
	case codecShape1:
		dst, err = decodeShape(dst, body, dict1, most)
	case codecZstd:
		dst, err = unzstd(dst, body, most)
	default:
		return dst, damaged(fmt.Sprintf("codec %d is unknown to this version", packed[0]))
	}
	if err != nil {
		return dst[:start], damaged("its body can't be read")
	}
	return dst, nil
}

func damaged(why string) error {
	return fault.New(fault.Invalid, "seal.damaged", "a part does not unpack: %s", why)
}

var zstdEncoder = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(windowBytes),
		zstd.WithEncoderCRC(false), zstd.WithEncoderConcurrency(2), zstd.WithLowerEncoderMem(true), zstd.WithSingleSegment(true))
	if err != nil {
		panic(err) // the options are constants
	}
	return e
})

var zstdDecoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(zstdMost), zstd.WithDecoderMaxWindow(zstdMost))
	if err != nil {
		panic(err) // the options are constants
	}
	return d
})

// unzstd appends the content of the one frame in body, at most most bytes. The frame says its
// size; one that does not, or lies, is refused.
func unzstd(dst, body []byte, most int) ([]byte, error) {
	var h zstd.Header
	if err := h.Decode(body); err != nil {
		return dst, err
	}
	if !h.HasFCS || h.FrameContentSize > uint64(most) || h.DictionaryID != 0 {
		return dst, errShape
	}
	start := len(dst)
	dst, err := zstdDecoder().DecodeAll(body, dst)
	if err == nil && uint64(len(dst)-start) != h.FrameContentSize { // a second frame
		err = errShape
	}
	return dst, err
}
