package sqlstore

import (
	"fmt"
	"regexp"
	"strings"

	"domicile.dev/internal/fault"
)

// tables are the DDL texts of version 1, in the order in which they run. Each noun's file adds one.
var tables = []string{
	gateDDL,
	metaDDL,
	leaseDDL,
	changeDDL,
	tenantDDL,
	idempotencyDDL,
	epochDDL,
	ledgerDDL,
	recordDDL,
	subjectDDL,
	statDDL,
}

// A migration takes a store from the version before its own. One that was released never changes.
type migration struct {
	version int
	name    string
	ddl     []string
}

func migrations() []migration {
	return []migration{
		{version: 1, name: "first", ddl: tables},
		{version: 2, name: "secrets of sources", ddl: []string{sourceSecretDDL}},
		{version: 3, name: "violations of plans", ddl: []string{violationDDL}},
		{version: 4, name: "versions of the index key", ddl: []string{indexKeyDDL}},
		{version: 5, name: "things, links refused and identifiers retired", ddl: []string{thingDDL, refusedLinkDDL, retiredDDL}},
		{version: 6, name: "recordings and attachments", ddl: []string{mediaDDL}},
		{version: 7, name: "settings of tenants", ddl: []string{tenantSettingsDDL}},
		{version: 8, name: "people who move", ddl: []string{moveDDL}},
		{version: 9, name: "media of people who move", ddl: []string{arrivalDDL}},
		{version: 11, name: "the register", ddl: []string{registerDDL}},
		{version: 12, name: "what people say", ddl: []string{consentDDL}},
		{version: 13, name: "pseudonyms", ddl: []string{pseudonymDDL}},
		{version: 14, name: "flows", ddl: []string{flowDDL}},
		{version: 16, name: "publications and subscribers", ddl: []string{publishDDL}},
		{version: 17, name: "what was collected, and what nothing maps", ddl: []string{collectionDDL}},
		{version: 18, name: "what recipients are told, refused and got", ddl: []string{toldDDL}},
		{version: 19, name: "whose law people bring", ddl: []string{originDDL}},
		{version: 20, name: "what regions and recipients are still to be told", ddl: []string{owedDDL}},
		{version: 22, name: "languages of subscribers", ddl: []string{subscriberLanguageDDL}},
		{version: 23, name: "objections that were settled, and the entry of who was told", ddl: []string{settlementDDL}},
	}
}

// migrationDDL is the first statement on every store, new or old.
const migrationDDL = `CREATE TABLE IF NOT EXISTS migration (
	cell    integer NOT NULL,
	version integer NOT NULL,
	name    text    NOT NULL,
	PRIMARY KEY (cell, version)
)`

// Migrate brings the store up to the newest version, inside a transaction that the driver opened
// and that keeps other nodes out. It does nothing on a store that is up to date and refuses one
// that a newer Domicile wrote.
func Migrate(c Conn) error { return migrate(c, migrations()) }

func migrate(c Conn, all []migration) error {
	if _, err := c.Exec(migrationDDL); err != nil {
		return fmt.Errorf("create table migration: %w", err)
	}
	var at int
	if _, err := one(c, `SELECT coalesce(max(version), 0) FROM migration WHERE cell = 1`,
		func(r Row) { at = int(r.Int(0)) }); err != nil {
		return fmt.Errorf("read the store's version: %w", err)
	}
	if newest := all[len(all)-1].version; at > newest {
		return fault.New(fault.Conflict, "store.newer", "the store is of version %d, this program knows up to %d", at, newest).
			WithHint("run the newer domicile that last opened this store")
	}
	for _, m := range all {
		if m.version <= at {
			continue
		}
		for _, s := range Statements(c.Engine(), strings.Join(m.ddl, "\n")) {
			if _, err := c.Exec(s); err != nil {
				return fmt.Errorf("migration %d (%s): %.60q: %w", m.version, m.name, s, err)
			}
		}
		if _, err := c.Exec(`INSERT INTO migration (cell, version, name) VALUES (1, $1, $2)`, m.version, m.name); err != nil {
			return fmt.Errorf("record migration %d: %w", m.version, err)
		}
	}
	return nil
}

var (
	marked  = regexp.MustCompile(`(?s)/\*(sqlite|postgres):(.*?)\*/`)
	comment = regexp.MustCompile(`--[^\n]*`)
)

// Statements splits DDL into what engine runs, one by one. A comment of the form
//
//	/*sqlite: WITHOUT ROWID */   or   /*postgres: ALTER TABLE t ALTER COLUMN body SET STORAGE EXTERNAL; */
//
// is text on that engine and nothing on the other. DDL has no semicolons but at the ends of
// statements, and no string holds "--".
func Statements(engine, ddl string) []string {
	ddl = comment.ReplaceAllString(ddl, "")
	ddl = marked.ReplaceAllStringFunc(ddl, func(m string) string {
		if part := marked.FindStringSubmatch(m); part[1] == engine {
			return part[2]
		}
		return ""
	})
	var all []string
	for s := range strings.SplitSeq(ddl, ";") {
		if s = strings.TrimSpace(s); s != "" {
			all = append(all, s)
		}
	}
	return all
}
