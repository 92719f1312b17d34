package e2e

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
)

// A canary is a value that occurs nowhere else, and where in the input it was put.
type canary struct{ where, value string }

// canaries makes them and keeps a list.
type canaries struct{ list []canary }

func newCanaries() *canaries { return &canaries{} }

func (c *canaries) add(where, value string) string {
	c.list = append(c.list, canary{where, value})
	return value
}

// word is 20 letters, which fit every free field and look like a field name. There are no digits,
// so that a counter next to it can't blur where it ends.
func word() string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return 'g' + r - '0'
		}
		return unicode.ToLower(r)
	}, rand.Text())[:20]
}

// text is a word that is a canary.
func (c *canaries) text(where string) string { return c.add(where, word()) }

// odd is a text that every encoder treats in its own way; its halves are canaries as well.
func (c *canaries) odd(where string) string {
	first, second := word()[:12], word()[:12]
	c.add(where+" (half)", first)
	c.add(where+" (half)", second)
	return c.add(where, first+" é/&+"+second)
}

// email is an address; its lower-cased form and its local part are canaries as well.
func (c *canaries) email(where string) string {
	t := c.add(where+" (local part)", word())
	mixed := strings.ToUpper(t[:1]) + t[1:8] + strings.ToUpper(t[8:9]) + t[9:] + "@Canary.example"
	c.add(where+" (canonical)", strings.ToLower(mixed))
	return c.add(where, mixed)
}

// phone is an Irish mobile number in E.164; without the plus it is a canary as well.
func (c *canaries) phone(where string) string {
	n := "353" + "83" + digits(7)
	c.add(where+" (digits)", n)
	return c.add(where, "+"+n)
}

// number is an integer that JSON carries exactly, with its 64-bit encodings.
func (c *canaries) number(where string) int64 {
	n, _ := strconv.ParseInt("7"+digits(14), 10, 64)
	c.add(where, strconv.FormatInt(n, 10))
	for _, bits := range []uint64{uint64(n), math.Float64bits(float64(n))} {
		c.add(where+" (64 bits)", string(binary.LittleEndian.AppendUint64(nil, bits)))
		c.add(where+" (64 bits)", string(binary.BigEndian.AppendUint64(nil, bits)))
	}
	return n
}

// ip is an address of the documentation prefix; its 16 bytes are a canary as well.
func (c *canaries) ip(where string) string {
	b := [16]byte{0x20, 0x01, 0x0d, 0xb8}
	_, _ = rand.Read(b[4:])
	for i := 4; i < 16; i += 2 {
		b[i] |= 0x10 // no group starts with a zero, so there is one way to write it
	}
	a := netip.AddrFrom16(b)
	c.add(where+" (16 bytes)", string(b[:]))
	return c.add(where, a.String())
}

func (c *canaries) ipv4(where string) string {
	return c.add(where, fmt.Sprintf("203.0.113.%d", 100+pick(155)))
}

func digits(n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte(byte('1' + pick(9)))
	}
	return b.String()
}

func pick(n int64) int64 {
	i, err := rand.Int(rand.Reader, big.NewInt(n))
	if err != nil {
		panic(err)
	}
	return i.Int64()
}
