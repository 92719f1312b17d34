package record

import (
	"encoding/binary"
	"fmt"
)

// cursor reads an encoding front to back. After the first thing that isn't there it is bad and
// gives zeros, so that a decoder checks once.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) fail() { c.bad, c.b = true, nil }

func (c *cursor) byte() byte {
	if len(c.b) == 0 {
		c.fail()
		return 0
	}
	v := c.b[0]
	c.b = c.b[1:]
	return v
}

func (c *cursor) uvarint() uint64 {
	if len(c.b) > 0 && c.b[0] < 0x80 {
		v := c.b[0]
		c.b = c.b[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(c.b)
	if n <= 0 || n > 1 && c.b[n-1] == 0 { // missing, beyond 64 bits, or not the shortest form
		c.fail()
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *cursor) varint() int64 {
	u := c.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// count reads a number that is at most most.
func (c *cursor) count(most int) int {
	v := c.uvarint()
	if v > uint64(most) {
		c.fail()
		return 0
	}
	return int(v)
}

// take reads n bytes, without copying.
func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.fail()
		return nil
	}
	v := c.b[:n:n]
	c.b = c.b[n:]
	return v
}

// sized reads an uvarint and as many bytes.
func (c *cursor) sized() []byte { return c.take(c.count(len(c.b))) }

// err is nil unless something was missing.
func (c *cursor) err(what string) error {
	if c.bad {
		return corrupt(what)
	}
	return nil
}

func corrupt(what string) error { return fmt.Errorf("%w: %s", ErrCorrupt, what) }
