package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ledger"
)

// ledgerVerifyCmd recomputes whole logs.
type ledgerVerifyCmd struct {
	ledgerAt `embed:""`
	Since    string   `type:"existingfile" placeholder:"FILE" help:"An earlier checkpoint that must be a beginning of the log; for one region."`
	Save     string   `type:"path" placeholder:"FILE" help:"Keep the checkpoint in FILE and the key in FILE.key, when all holds; for one region."`
	Witness  []string `sep:"none" placeholder:"KEY" help:"A witness's verifier key, to check its cosignature. Default: the other regions of up.json."`
	Quorum   int      `placeholder:"N" help:"Wrong unless N witnesses have cosigned. Waits ten seconds for them."`
}

// verifiedAnswer is one region of what `ledger verify --json` prints; it is a promise.
type verifiedAnswer struct {
	Region  string `json:"region"`
	URL     string `json:"url"`
	Holds   bool   `json:"holds"`
	Key     string `json:"key"`
	KeyFrom string `json:"key_from"`
	*ledger.Report
}

// Run verifies each region meant. A broken ledger is an answer, not a failure: it goes to stdout.
func (c *ledgerVerifyCmd) Run(e *env) error {
	chosen, others, err := c.logs(true)
	if err != nil {
		return err
	}
	if len(chosen) > 1 && (c.Since != "" || c.Save != "" || c.Key != "") {
		return fault.New(fault.Invalid, "call.invalid", "a key and checkpoints are one region's").WithHint("name it with --region")
	}
	witnesses, err := c.witnesses(e.ctx, others)
	if err != nil {
		return err
	}
	answers, holds := []verifiedAnswer{}, true
	for _, l := range chosen {
		a, err := c.verify(e.ctx, l, witnesses)
		if err != nil {
			return err
		}
		answers, holds = append(answers, a), holds && a.Holds
		if !e.json {
			a.print(e)
		}
	}
	if e.json {
		if err := printJSON(e.out, map[string]any{"holds": holds, "regions": answers}); err != nil {
			return err
		}
	}
	if !holds {
		return &exitError{code: exitBad}
	}
	return nil
}

// witnesses returns the keys given, else those of the regions that can be asked.
func (c *ledgerVerifyCmd) witnesses(ctx context.Context, others []logAt) (all []note.Verifier, err error) {
	for _, key := range c.Witness {
		v, err := ledger.NewVerifier(key)
		if err != nil {
			return nil, fault.New(fault.Invalid, "ledger.bad_key", "a witness's key is not a verifier key").Because(err)
		}
		all = append(all, v)
	}
	if len(all) > 0 {
		return all, nil
	}
	for _, l := range others {
		b, err := ledger.HTTPFetch(ledgerHTTP, l.url)(ctx, "witness/key")
		if err != nil {
			continue // a region that is away cosigns nothing; its own log is judged by itself
		}
		v, err := ledger.NewVerifier(string(b))
		if err != nil {
			return nil, fault.New(fault.Unavailable, "ledger.bad_key", "region %s shows no verifier key for its witness", l.name).Because(err)
		}
		all = append(all, v)
	}
	return all, nil
}

func (c *ledgerVerifyCmd) verify(ctx context.Context, l logAt, witnesses []note.Verifier) (a verifiedAnswer, err error) {
	verifier, key, from, err := c.key(ctx, l, c.Since)
	if err != nil {
		return a, err
	}
	a = verifiedAnswer{Region: l.name, URL: l.url, Key: key, KeyFrom: from}
	against := ledger.Against{Log: verifier, Witnesses: witnesses}
	if c.Since != "" {
		if against.Since, err = os.ReadFile(c.Since); err != nil {
			return a, fault.New(fault.Invalid, "ledger.unreadable", "%s can't be read", c.Since).Because(err)
		}
	}
	fetch := ledger.HTTPFetch(ledgerHTTP, l.url)
	for end := time.Now().Add(10 * time.Second); ; {
		if a.Report, err = ledger.VerifyLog(ctx, fetch, against); err != nil {
			if fault.KindOf(err) == fault.Invalid {
				return a, err
			}
			return a, unreachable(l, err)
		}
		if len(a.Cosigned) >= c.Quorum || time.Now().After(end) || !a.Report.Holds() {
			break
		}
		select {
		case <-ctx.Done():
			return a, ctx.Err()
		case <-time.After(250 * time.Millisecond):
		}
	}
	if len(a.Cosigned) < c.Quorum {
		a.Defects = append(a.Defects, ledger.Defect{Where: "checkpoint", What: fmt.Sprintf("cosigned by %d witnesses, want %d", len(a.Cosigned), c.Quorum)})
	}
	a.own(ctx, fetch)
	if a.Holds = a.Report.Holds(); a.Holds && c.Save != "" {
		return a, c.save(a)
	}
	return a, nil
}

// own adds what the node found in the entries that only it holds. A node without that page says nothing.
func (a *verifiedAnswer) own(ctx context.Context, fetch ledger.Fetch) {
	b, err := fetch(ctx, "defects")
	if err != nil {
		return
	}
	var r ledger.SelfReport
	if err := json.Unmarshal(b, &r); err != nil {
		return
	}
	for _, d := range r.Defects {
		a.Defects = append(a.Defects, ledger.Defect{Where: d.Where, What: "in the node's store, by its own word: " + d.What})
	}
}

func (c *ledgerVerifyCmd) save(a verifiedAnswer) error {
	for name, b := range map[string][]byte{c.Save: a.Checkpoint, c.Save + ".key": []byte(a.Key + "\n")} {
		if err := os.WriteFile(name, b, 0o644); err != nil {
			return fault.New(fault.Invalid, "ledger.unwritable", "%s can't be written", name).Because(err)
		}
	}
	return nil
}

func (a verifiedAnswer) print(e *env) {
	if a.Holds {
		_, _ = fmt.Fprintf(e.out, "%s holds: %d leaves, root %s, %s\n", a.Region, a.Size, a.Root, a.cosigners())
		if a.Since != nil {
			_, _ = fmt.Fprintf(e.out, "%s extends the earlier checkpoint of %d leaves\n", a.Region, *a.Since)
		}
	}
	for _, d := range a.Defects {
		_, _ = fmt.Fprintf(e.out, "%s broken: %s: %s\n", a.Region, d.Where, d.What)
	}
	if a.More > 0 {
		_, _ = fmt.Fprintf(e.out, "%s broken: and %d more before verification ended\n", a.Region, a.More)
	}
	tellKey(e, a.Region+": ", a.Key, a.KeyFrom)
}

func (a verifiedAnswer) cosigners() string {
	if len(a.Cosigned) == 0 {
		return "not cosigned yet"
	}
	names := make([]string, len(a.Cosigned))
	for i, s := range a.Cosigned {
		names[i] = s.Witness
	}
	return "cosigned by " + strings.Join(names, ", ")
}

// tellKey says when the key was only the node's own word.
func tellKey(e *env, prefix, key, from string) {
	if from == fromNode {
		_, _ = fmt.Fprintf(e.err, "note: %sthe key is the node's own word, used for the first time: %s\n", prefix, key)
	}
}
