package fetch

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/url"

	"domicile.dev/internal/fault"
)

// The limits of a list that comes in pages.
const (
	maxPageBytes = 8 << 20
	mostPages    = 100
)

// List fetches a list that lies at address in pages, each a JSON object with the list's part under
// name and the next page's address under meta.next_page_url, as Twilio's API has it. What it
// returns is the elements, a line each, as the vendor wrote them; one page is held at a time.
//
// Faults as Get; and "fetch.bad_page" when a page isn't what it should be.
func (c *Client) List(ctx context.Context, address, name, user, password string) (*Got, error) {
	l := &list{ctx: ctx, c: c, name: name, user: user, password: password, next: address}
	if err := l.turn(); err != nil {
		return nil, err
	}
	return &Got{Type: "application/x-ndjson", Length: -1, Body: l}, nil
}

type list struct {
	ctx                  context.Context
	c                    *Client
	name, user, password string
	next                 string // "" after the last page
	pages                int
	lines                bytes.Buffer
}

// Read implements io.Reader.
func (l *list) Read(p []byte) (int, error) {
	for l.lines.Len() == 0 {
		if l.next == "" {
			return 0, io.EOF
		}
		if err := l.turn(); err != nil {
			return 0, err
		}
	}
	return l.lines.Read(p)
}

// Close implements io.Closer.
func (l *list) Close() error {
	l.next = ""
	l.lines = bytes.Buffer{}
	return nil
}

// turn fetches the next page.
func (l *list) turn() error {
	if l.pages++; l.pages > mostPages {
		return refused("fetch.bad_page", "the list has no end")
	}
	got, err := l.c.Get(l.ctx, l.next, l.user, l.password)
	if err != nil {
		return err
	}
	b, err := io.ReadAll(io.LimitReader(got.Body, maxPageBytes+1))
	_ = got.Body.Close()
	if err != nil || got.Length >= 0 && int64(len(b)) < min(got.Length, maxPageBytes) {
		return fault.New(fault.Unavailable, "fetch.cut_short", "a page did not arrive as a whole")
	}
	if len(b) > maxPageBytes {
		return refused("fetch.bad_page", "a page is too large")
	}
	next, err := l.read(b)
	if err != nil {
		return refused("fetch.bad_page", "a page is not what it should be")
	}
	l.next = next
	return nil
}

// read appends a page's lines and returns where the next one lies.
func (l *list) read(page []byte) (next string, err error) {
	var p map[string]json.RawMessage
	if err := json.Unmarshal(page, &p); err != nil {
		return "", err
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(p[l.name], &elements); err != nil {
		return "", err
	}
	for _, e := range elements {
		if err := json.Compact(&l.lines, e); err != nil {
			return "", err
		}
		l.lines.WriteByte('\n')
	}
	var meta struct {
		Next *string `json:"next_page_url"`
	}
	if p["meta"] != nil {
		if err := json.Unmarshal(p["meta"], &meta); err != nil {
			return "", err
		}
	}
	if meta.Next == nil || *meta.Next == "" {
		return "", nil
	}
	at, err := url.Parse(l.next)
	if err != nil {
		return "", err
	}
	u, err := at.Parse(*meta.Next)
	if err != nil {
		return "", err
	}
	return u.String(), nil
}
