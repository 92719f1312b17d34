package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// pageRounds is how often each page is asked for.
const pageRounds = 400

// pages asks for every page of the privacy centre as a browser does, one after the other, and searches. The rows
// are the largest and the slowest; the time is that of the whole answer on a connection that is open already.
func (b *bench) pages(ctx context.Context) error {
	return b.on(ctx, func(s *server) error {
		client := &http.Client{Timeout: 10 * time.Second}
		paths, err := pagesOf(ctx, client, s.addr)
		if err != nil {
			return err
		}
		var bytes, p99 float64
		var largest, slowest string
		for _, path := range paths {
			t := &tally{}
			for i := range pageRounds + 1 {
				begin := time.Now()
				n, err := page(ctx, client, "http://"+s.addr+path, "text/html,*/*;q=0.8")
				if err != nil {
					return err
				}
				if i > 0 { // the first makes it
					t.latencies = append(t.latencies, time.Since(begin))
				}
				if float64(len(n)) > bytes {
					bytes, largest = float64(len(n)), path
				}
			}
			if ms := t.percentile(0.99); ms > p99 {
				p99, slowest = ms, path
			}
		}
		b.say("%d pages; the largest is %s, the slowest %s", len(paths), largest, slowest)
		b.add(atMost("pages: the largest", b.store, bytes/1000, "kB", 100), atMost("pages: the slowest, p99", b.store, p99, "ms", 10))
		return nil
	})
}

// pagesOf are the pages to which the index leads, with a search.
func pagesOf(ctx context.Context, client *http.Client, addr string) ([]string, error) {
	body, err := page(ctx, client, "http://"+addr+"/privacy/", "application/json")
	if err != nil {
		return nil, err
	}
	var index struct {
		Links []struct{ Path string }
	}
	if err := json.Unmarshal(body, &index); err != nil {
		return nil, fmt.Errorf("read the index of the privacy centre: %w", err)
	} else if len(index.Links) < 5 {
		return nil, fmt.Errorf("the index of the privacy centre has %d links", len(index.Links))
	}
	paths := []string{"/privacy/", "/privacy/search?q=data", "/privacy/search?q=phone+number"}
	for _, l := range index.Links {
		paths = append(paths, l.Path)
	}
	return paths, nil
}

func page(ctx context.Context, client *http.Client, url, accept string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %d", url, resp.StatusCode)
	}
	return body, err
}
