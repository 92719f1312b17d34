package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
)

// A wire is one keep-alive connection. It writes requests as prepared bytes and reads answers
// without allocating, so that the generator leaves the cores to what is measured.
type wire struct {
	conn net.Conn
	in   *bufio.Reader
	body []byte // of the last answer; valid until the next
}

func dial(addr string) (*wire, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &wire{conn: c, in: bufio.NewReaderSize(c, 64<<10)}, nil
}

func (w *wire) close() { w.conn.Close() }

var contentLength = []byte("Content-Length: ")

// ask writes the request and reads the answer.
func (w *wire) ask(request []byte) (status int, err error) {
	if _, err := w.conn.Write(request); err != nil {
		return 0, err
	}
	line, err := w.in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 12 {
		return 0, fmt.Errorf("answer begins with %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, err
	}
	length, chunked := 0, false
	for {
		line, err := w.in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			break
		}
		if bytes.HasPrefix(line, contentLength) {
			if length, err = strconv.Atoi(string(line[len(contentLength):])); err != nil {
				return 0, err
			}
		}
		chunked = chunked || bytes.EqualFold(line, []byte("Transfer-Encoding: chunked"))
	}
	if chunked {
		return status, w.chunks()
	}
	w.body = grow(w.body, length)
	_, err = io.ReadFull(w.in, w.body)
	return status, err
}

// chunks reads a body in chunks.
func (w *wire) chunks() error {
	w.body = w.body[:0]
	for {
		line, err := w.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return err
		}
		start := len(w.body)
		w.body = append(w.body, make([]byte, int(n)+2)...)
		if _, err := io.ReadFull(w.in, w.body[start:]); err != nil {
			return err
		}
		if w.body = w.body[:start+int(n)]; n == 0 {
			return nil
		}
	}
}

func grow(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

// post is a whole request with a body, get one without.
func post(dst []byte, path, authorization string, body []byte) []byte {
	dst = fmt.Appendf(dst, "POST %s HTTP/1.1\r\nHost: bench\r\nAuthorization: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", path, authorization, len(body))
	return append(dst, body...)
}

func get(dst []byte, path, authorization string) []byte {
	return fmt.Appendf(dst, "GET %s HTTP/1.1\r\nHost: bench\r\nAuthorization: %s\r\n\r\n", path, authorization)
}
