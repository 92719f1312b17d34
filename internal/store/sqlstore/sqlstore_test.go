package sqlstore

import (
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestStatementsOfAnEngine(t *testing.T) {
	const ddl = `
CREATE TABLE a (
	n integer NOT NULL, -- a remark; with a semicolon
	PRIMARY KEY (n)
) /*sqlite: WITHOUT ROWID */ /*postgres: WITH (fillfactor = 10) */;
/*postgres: ALTER TABLE a ALTER COLUMN n SET STORAGE EXTERNAL;
   ALTER TABLE a SET (autovacuum_enabled = off); */
INSERT INTO a (n) VALUES (1);
`
	space := regexp.MustCompile(`\s+`)
	for engine, want := range map[string][]string{
		"sqlite": {"CREATE TABLE a ( n integer NOT NULL, PRIMARY KEY (n) ) WITHOUT ROWID", "INSERT INTO a (n) VALUES (1)"},
		"postgres": {"CREATE TABLE a ( n integer NOT NULL, PRIMARY KEY (n) ) WITH (fillfactor = 10)",
			"ALTER TABLE a ALTER COLUMN n SET STORAGE EXTERNAL", "ALTER TABLE a SET (autovacuum_enabled = off)", "INSERT INTO a (n) VALUES (1)"},
	} {
		got := Statements(engine, ddl)
		for i := range got {
			got[i] = space.ReplaceAllString(got[i], " ")
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", engine, got, want)
		}
	}
}

// What a distributed PostgreSQL-compatible engine can run: every key leads with the tenant or the
// cell, nothing is serial, no key refers to another table (the design page, section 10). SQLite's
// tables may have what suits one file better.
func TestTablesCanBeDistributed(t *testing.T) {
	key := regexp.MustCompile(`PRIMARY KEY \((\w+)`)
	for _, s := range Statements("postgres", strings.Join(tables, "\n")) {
		if !strings.HasPrefix(s, "CREATE TABLE") {
			continue
		}
		name := strings.Fields(s)[2]
		if m := key.FindStringSubmatch(s); m == nil || m[1] != "tenant" && m[1] != "cell" {
			t.Errorf("the primary key of %s leads with neither tenant nor cell", name)
		}
		for _, no := range []string{"serial", "REFERENCES", "AUTOINCREMENT", "IDENTITY", " blob", "boolean", "timestamp"} {
			if strings.Contains(s, no) {
				t.Errorf("table %s has %s", name, no)
			}
		}
	}
}

// The gate row is written with the commit, from the transaction's copy, and by nothing else.
func TestNobodyElseWritesTheGate(t *testing.T) {
	writes := regexp.MustCompile(`(?i)(UPDATE|INTO|DELETE FROM)\s+gate\b`)
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if f != "gate.go" && writes.Match(b) {
			t.Errorf("%s writes the gate by SQL", f)
		}
	}
}

func TestInt(t *testing.T) {
	for _, tt := range []struct {
		in   any
		want int64
		ok   bool
	}{
		{7, 7, true}, {int64(math.MinInt64), math.MinInt64, true}, {uint64(math.MaxInt64), math.MaxInt64, true},
		{uint32(math.MaxUint32), math.MaxUint32, true}, {uint16(9), 9, true}, {uint8(9), 9, true}, {int32(-9), -9, true},
		{true, 1, true}, {false, 0, true}, {"7", 0, false}, {7.0, 0, false}, {nil, 0, false},
	} {
		if got, ok := Int(tt.in); got != tt.want || ok != tt.ok {
			t.Errorf("Int(%T %v) = %d, %v; want %d, %v", tt.in, tt.in, got, ok, tt.want, tt.ok)
		}
	}
	if _, ok := Int(uint64(math.MaxInt64) + 1); ok {
		t.Error("a number that no column holds was taken")
	}
}
