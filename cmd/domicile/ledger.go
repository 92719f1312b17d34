package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"domicile.dev/internal/client"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/ledger"
)

// ledgerCmd checks that the past is what it was.
type ledgerCmd struct {
	Verify ledgerVerifyCmd `cmd:"" help:"Recompute a region's whole ledger and check its signatures; exit 3 when something is wrong."`
	Prove  ledgerProveCmd  `cmd:"" help:"Check one entry against its commitment and the signed checkpoint; exit 3 when it does not hold."`
}

// ledgerAt says which logs are meant, and which keys they are to be signed with.
type ledgerAt struct {
	Up     string `type:"path" placeholder:"DIR" help:"Regions of DIR/up.json. Without it: DOMICILE_URL."`
	Region string `placeholder:"ID" help:"One region of up.json. Default: all of them for verify, the first for prove."`
	Key    string `placeholder:"KEY" help:"The log's verifier key. Default: the one kept beside the earlier checkpoint; else the node's own word, on first use."`
}

// logAt is one region's ledger as it is reached.
type logAt struct {
	name, url, token string
}

var ledgerHTTP = &http.Client{Timeout: 30 * time.Second}

// logs returns the regions meant. all says that no --region means every one.
func (a ledgerAt) logs(all bool) (chosen, others []logAt, err error) {
	if a.Up == "" {
		u, err := url.Parse(os.Getenv("DOMICILE_URL"))
		if err != nil || u.Host == "" {
			return nil, nil, fault.New(fault.Invalid, "node.unknown", "no node is named").WithHint("give --up DIR or set DOMICILE_URL")
		}
		return []logAt{{name: u.Host, url: u.String(), token: os.Getenv("DOMICILE_TOKEN")}}, nil, nil
	}
	up, err := client.ReadUp(a.Up)
	if err != nil {
		return nil, nil, err
	}
	if a.Region != "" || !all {
		r, err := up.Region(a.Region)
		if err != nil {
			return nil, nil, err
		}
		chosen = []logAt{{r.ID, r.URL, r.APIToken}}
	}
	for _, r := range up.Regions {
		l := logAt{r.ID, r.URL, r.APIToken}
		if others = append(others, l); a.Region == "" && all {
			chosen = append(chosen, l)
		}
	}
	return chosen, others, nil
}

// Where a key came from.
const (
	fromFlag = "flag"
	fromFile = "file" // kept beside an earlier checkpoint
	fromNode = "node" // trust on first use
)

// key returns the verifier key to use for l. earlier is the file of an earlier checkpoint, or "".
func (a ledgerAt) key(ctx context.Context, l logAt, earlier string) (v note.Verifier, text, from string, err error) {
	text, from = a.Key, fromFlag
	if text == "" && earlier != "" {
		b, err := os.ReadFile(earlier + ".key")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, "", "", fault.New(fault.Invalid, "ledger.key_unreadable", "%s.key can't be read", earlier).Because(err)
		}
		text, from = strings.TrimSpace(string(b)), fromFile
	}
	if text == "" && l.url != "" {
		b, err := ledger.HTTPFetch(ledgerHTTP, l.url)(ctx, "key")
		if err != nil {
			return nil, "", "", unreachable(l, err)
		}
		text, from = strings.TrimSpace(string(b)), fromNode
	}
	if text == "" {
		return nil, "", "", fault.New(fault.Invalid, "ledger.no_key", "no key is given").WithHint("give --key, from the region's /ledger/key")
	}
	if v, err = ledger.NewVerifier(text); err != nil {
		return nil, "", "", fault.New(fault.Invalid, "ledger.bad_key", "the key is not a verifier key").Because(err)
	}
	return v, text, from, nil
}

func unreachable(l logAt, err error) error {
	return fault.New(fault.Unavailable, "node.unreachable", "region %s does not answer for its ledger", l.name).Because(err).
		WithHint("is it running at " + l.url + "?")
}

// ledgerProveCmd checks one entry.
type ledgerProveCmd struct {
	ledgerAt `embed:""`
	Entry    string `arg:"" optional:"" help:"The entry's id, led_…"`
	In       string `type:"existingfile" placeholder:"FILE" help:"Check what GET /api/v1/ledger/entries/{entry} answered earlier, without a node; needs --key."`
}

// provenAnswer is what `ledger prove --json` prints; it is a promise.
type provenAnswer struct {
	Holds   bool            `json:"holds"`
	Key     string          `json:"key"`
	KeyFrom string          `json:"key_from"`
	Origin  string          `json:"origin"`
	Size    int64           `json:"size"`
	Index   int64           `json:"index"`
	Entry   json.RawMessage `json:"entry"`
	Defects []ledger.Defect `json:"defects"`
}

// Run fetches the entry, or reads it, and verifies it.
func (c *ledgerProveCmd) Run(e *env) error {
	if (c.Entry == "") == (c.In == "") {
		return fault.New(fault.Invalid, "call.invalid", "give an entry's id, or --in").WithHint("domicile help ledger prove explains the call")
	}
	var l logAt
	var b []byte
	var err error
	if c.In != "" {
		b, err = os.ReadFile(c.In)
	} else if l, b, err = c.fetch(e.ctx); err != nil {
		return err
	}
	if err != nil {
		return fault.New(fault.Invalid, "ledger.unreadable", "%s can't be read", c.In).Because(err)
	}
	verifier, key, from, err := c.key(e.ctx, l, "")
	if err != nil {
		return err
	}
	var v ledger.EntryView
	if err := json.Unmarshal(b, &v); err != nil {
		return fault.New(fault.Invalid, "ledger.not_an_entry", "what was read is no shown entry").Because(err)
	}
	if c.Entry != "" && v.ID == "" {
		v.ID = c.Entry
	}
	cp, defects := ledger.VerifyEntry(v, verifier)
	if c.Entry != "" && v.ID != c.Entry {
		defects = append(defects, ledger.Defect{Where: "entry", What: "the node showed another one"})
	}
	a := provenAnswer{Holds: len(defects) == 0, Key: key, KeyFrom: from, Origin: cp.Origin, Size: cp.Size, Index: v.Index, Entry: v.Entry, Defects: defects}
	if a.Defects == nil {
		a.Defects = []ledger.Defect{}
	}
	return a.print(e)
}

func (a provenAnswer) print(e *env) error {
	if e.json {
		if err := printJSON(e.out, a); err != nil {
			return err
		}
	} else {
		_, _ = fmt.Fprintf(e.out, "%s\n", a.Entry)
		for _, d := range a.Defects {
			_, _ = fmt.Fprintf(e.out, "broken: %s: %s\n", d.Where, d.What)
		}
		if a.Holds {
			_, _ = fmt.Fprintf(e.out, "holds: leaf %d of %d, signed by %s\n", a.Index, a.Size, a.Origin)
		}
		tellKey(e, "", a.Key, a.KeyFrom)
	}
	if !a.Holds {
		return &exitError{code: exitBad}
	}
	return nil
}

// fetch asks for the entry until a checkpoint covers it, for five seconds at most.
func (c *ledgerProveCmd) fetch(ctx context.Context) (l logAt, b []byte, err error) {
	chosen, _, err := c.logs(false)
	if err != nil {
		return l, nil, err
	}
	l = chosen[0]
	for end := time.Now().Add(5 * time.Second); ; {
		if b, err = l.entry(ctx, c.Entry); err != nil {
			return l, nil, err
		}
		var v ledger.EntryView
		if json.Unmarshal(b, &v) != nil || v.Checkpoint != nil || time.Now().After(end) {
			return l, b, nil
		}
		select {
		case <-ctx.Done():
			return l, nil, ctx.Err()
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// entry calls the tenant API as it answers: the proof is checked over what was sent.
func (l logAt) entry(ctx context.Context, id string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(l.url, "/")+"/api/v1/ledger/entries/"+url.PathEscape(id), nil)
	if err != nil {
		return nil, fault.New(fault.Invalid, "node.unknown", "the node's address is no URL").Because(err)
	}
	req.Header.Set("Authorization", "Bearer "+l.token)
	res, err := ledgerHTTP.Do(req)
	if err != nil {
		return nil, unreachable(l, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return nil, unreachable(l, err)
	}
	if res.StatusCode != http.StatusOK {
		var p struct{ Detail, Reason, Hint string }
		_ = json.Unmarshal(b, &p)
		if p.Detail == "" {
			p.Detail = fmt.Sprintf("the node answers %d", res.StatusCode)
		}
		kind := fault.Unavailable
		if res.StatusCode == http.StatusBadRequest {
			kind = fault.Invalid
		}
		return nil, &fault.Error{Kind: kind, Reason: p.Reason, Public: p.Detail, Hint: p.Hint}
	}
	return b, nil
}
