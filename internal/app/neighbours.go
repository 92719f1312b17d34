package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"domicile.dev/internal/notice"
)

// neighbours asks the nodes of the other regions what they are, so that the page of regions claims nothing
// that they don't say themselves. What is asked is public and names nobody.
type neighbours struct {
	n      *Node
	client *http.Client

	mu   sync.Mutex // guards seen
	seen map[string]notice.RegionCheck
}

const (
	askEvery   = 30 * time.Second
	askAgain   = 3 * time.Second // while one of them doesn't answer
	askTime    = 5 * time.Second
	mostAnswer = 4 << 10
)

func newNeighbours(n *Node) *neighbours {
	return &neighbours{n: n, seen: map[string]notice.RegionCheck{}, client: &http.Client{Timeout: askTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// run asks until ctx ends.
func (b *neighbours) run(ctx context.Context) {
	for {
		pause := askEvery
		for region, p := range b.n.Config.Peers {
			if !b.ask(ctx, region, p.URL) {
				pause = askAgain
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// ask asks one and says whether it answered.
func (b *neighbours) ask(ctx context.Context, region, url string) bool {
	said, err := b.get(ctx, url+"/privacy/regions/here")
	if ctx.Err() != nil {
		return true
	}
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.seen[region]
	c.URL, c.Asked, c.Fails = url, now, err != nil
	if err == nil {
		c.At, c.Region, c.Country, c.Programme = now, said.Region, said.Country, said.Programme
	}
	b.seen[region] = c
	return err == nil
}

func (b *neighbours) get(ctx context.Context, url string) (said notice.Here, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return said, err
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return said, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return said, fmt.Errorf("it answered %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer))
	if err != nil {
		return said, err
	}
	err = json.Unmarshal(body, &said)
	if !said.Sound() {
		return notice.Here{}, fmt.Errorf("it answered something else")
	}
	return said, err
}

// checks is what was seen, with this node itself.
func (b *neighbours) checks() map[string]notice.RegionCheck {
	here := notice.HereOf(b.n.rules.p, b.n.Config.Region)
	all := map[string]notice.RegionCheck{here.Region: {Self: true, Region: here.Region, Country: here.Country, Programme: here.Programme}}
	b.mu.Lock()
	defer b.mu.Unlock()
	for region, c := range b.seen {
		all[region] = c
	}
	return all
}
