// Command bench measures the built binary over HTTP on both stores, with everything on: it prints
// a table and writes .bench/latest.json. `make bench` runs it; docs/performance.md says what each
// row means.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

// A row is one measurement. Ratio and Limit are only there where something is compared.
type row struct {
	Name  string   `json:"name"`
	Store string   `json:"store"`
	Value float64  `json:"value"`
	Unit  string   `json:"unit"`
	Limit *float64 `json:"limit"` // the same thing without what is measured, in the same run
	Ratio *float64 `json:"ratio"` // Value of Limit
	Goal  *float64 `json:"goal"`  // of Ratio where there is one, else of Value; none: only told
	OK    bool     `json:"ok"`

	most bool // Goal is the most that is good, not the least
}

// atLeast and atMost judge a value; share judges it as a part of limit.
func atLeast(name, store string, value float64, unit string, goal float64) row {
	return row{Name: name, Store: store, Value: value, Unit: unit, Goal: &goal, OK: value >= goal}
}

func atMost(name, store string, value float64, unit string, goal float64) row {
	return row{Name: name, Store: store, Value: value, Unit: unit, Goal: &goal, OK: value <= goal, most: true}
}

func share(name, store string, value float64, unit string, limit, goal float64) row {
	ratio := value / limit
	return row{Name: name, Store: store, Value: value, Unit: unit, Limit: &limit, Ratio: &ratio, Goal: &goal, OK: ratio >= goal}
}

// told is a value without a goal.
func told(name, store string, value float64, unit string) row {
	return row{Name: name, Store: store, Value: value, Unit: unit, OK: true}
}

// plan is what is measured, and for how long.
type plan struct {
	binary  string
	stores  []string
	warm    time.Duration
	measure time.Duration
	sustain time.Duration
	people  int
	records int // in the store when its idle memory is taken
	only    string

	profiles string // a folder for CPU profiles of the rows about people
}

func main() {
	var p plan
	var stores string
	flag.StringVar(&p.binary, "binary", "bin/domicile", "the built `file`")
	flag.StringVar(&stores, "stores", "sqlite,postgres", "which to measure")
	flag.DurationVar(&p.warm, "warm", 3*time.Second, "load before measuring")
	flag.DurationVar(&p.measure, "measure", 15*time.Second, "how long ingest is measured")
	flag.DurationVar(&p.sustain, "sustain", fromEnv("BENCH_SUSTAIN", time.Minute), "how long the sustained load is; the goal is for 10m")
	flag.IntVar(&p.people, "people", 10_000, "whose events the load has")
	flag.IntVar(&p.records, "records", 10_000_000, "records in the store when its idle memory is taken")
	flag.StringVar(&p.only, "only", "", "measure only rows with this in their name: ingest, single, people, sustained, start, decision, form, flow, pages")
	flag.StringVar(&p.profiles, "profiles", "", "keep CPU profiles of the rows about people in this `folder`")
	flag.Parse()
	p.stores = strings.Split(stores, ",")

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, p); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func fromEnv(name string, otherwise time.Duration) time.Duration {
	d, err := time.ParseDuration(os.Getenv(name))
	if err != nil {
		return otherwise
	}
	return d
}

func run(ctx context.Context, p plan) error {
	binary, err := filepath.Abs(p.binary)
	if err != nil {
		return err
	}
	p.binary = binary
	var rows []row
	if b := (&bench{plan: p, store: "-"}); b.wants("decision") {
		if err := b.decisions(); err != nil {
			return fmt.Errorf("decisions: %w", err)
		}
		rows = append(rows, b.rows...)
	}
	if b := (&bench{plan: p, store: "-"}); b.wants("form") {
		if err := b.forms(); err != nil {
			return fmt.Errorf("forms: %w", err)
		}
		rows = append(rows, b.rows...)
	}
	for _, store := range p.stores {
		b := &bench{plan: p, store: store, goals: goalsOf[store]}
		err := b.all(ctx)
		rows = append(rows, b.rows...)
		if err != nil {
			err = fmt.Errorf("%s: %w", store, err)
			printTable(rows, p)
			return errors.Join(err, writeRows(rows))
		}
	}
	printTable(rows, p)
	return writeRows(rows)
}

func writeRows(rows []row) error {
	if err := os.MkdirAll(".bench", 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(".bench", "latest.json"), append(text, '\n'), 0o644)
}

func printTable(rows []row, p plan) {
	fmt.Printf("\n%-46s %-9s %12s %-9s %12s %6s %10s\n", "what", "store", "value", "unit", "limit", "ratio", "goal")
	for _, r := range rows {
		limit, ratio, goal := "", "", ""
		if r.Limit != nil {
			limit, ratio = number(*r.Limit), fmt.Sprintf("%.2f", *r.Ratio)
		}
		if r.Goal != nil {
			goal = "≥ " + number(*r.Goal)
		}
		if r.most {
			goal = "≤ " + number(*r.Goal)
		}
		verdict := ""
		if !r.OK {
			verdict = "  missed"
		}
		fmt.Printf("%-46s %-9s %12s %-9s %12s %6s %10s%s\n", r.Name, r.Store, number(r.Value), r.Unit, limit, ratio, goal, verdict)
	}
	if p.sustain < 10*time.Minute && (p.only == "" || p.only == "sustained") {
		fmt.Printf("\nSustained for %v only; the goal is for ten minutes: BENCH_SUSTAIN=10m make bench\n", p.sustain)
	}
}

func number(f float64) string {
	switch {
	case f >= 1000:
		return fmt.Sprintf("%.0f", f)
	case f >= 10:
		return fmt.Sprintf("%.1f", f)
	}
	return fmt.Sprintf("%.2f", f)
}
