package sqlstore

import (
	"encoding/json"
	"fmt"
	"time"

	"domicile.dev/internal/residency"
	"domicile.dev/internal/store"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// tenantDDL is who may bring data and who may ask for it. A tenant's version grows with every
// change of its row, its sources or its tokens, so that a node finds what others changed by asking
// for one number. Nothing here is ever deleted: ids and numbers are not given twice.
//
// Thief's gain: the names of tenants and sources, and the SHA-256 of 256-bit keys, which opens
// nothing.
const tenantDDL = `
CREATE TABLE tenant (
	cell       integer NOT NULL,
	id         text    NOT NULL,
	tenant     integer NOT NULL, -- its number in this cell, from 1
	name       text    NOT NULL,
	disabled   integer NOT NULL,
	created_at bigint  NOT NULL,
	version    bigint  NOT NULL, -- of the whole account, unique in the cell
	PRIMARY KEY (cell, id)
) /*sqlite: WITHOUT ROWID */;
CREATE UNIQUE INDEX tenant_number ON tenant (cell, tenant);
CREATE UNIQUE INDEX tenant_version ON tenant (cell, version);

CREATE TABLE source (
	tenant     integer NOT NULL,
	id         text    NOT NULL,
	name       text    NOT NULL,
	adapter    text    NOT NULL,
	service    text    NOT NULL, -- '' where each record names its own
	trust      text    NOT NULL, -- 'server' or 'public'
	disabled   integer NOT NULL,
	created_at bigint  NOT NULL,
	hash       bytea   NOT NULL, -- SHA-256 of the key
	old_hash   bytea   NOT NULL, -- of the one before, empty when it does not work
	old_ends   bigint  NOT NULL, -- ms, when the one before ceases to work; 0 when old_hash is empty
	PRIMARY KEY (tenant, id)
) /*sqlite: WITHOUT ROWID */;
CREATE UNIQUE INDEX source_hash ON source (hash);

CREATE TABLE token (
	tenant     integer NOT NULL,
	id         text    NOT NULL,
	name       text    NOT NULL,
	disabled   integer NOT NULL,
	created_at bigint  NOT NULL,
	hash       bytea   NOT NULL, -- as in source
	old_hash   bytea   NOT NULL,
	old_ends   bigint  NOT NULL,
	PRIMARY KEY (tenant, id)
) /*sqlite: WITHOUT ROWID */;
CREATE UNIQUE INDEX token_hash ON token (hash);
`

// sourceSecretDDL is what a vendor's signatures are checked with. A key can be looked up by its hash,
// a signature can't: its secret has to be read again, so it is there sealed; docs/formats/keys.md.
//
// Thief's gain: which accounts at vendors a tenant has. Whoever has the key nobody/1 as well can sign
// as the vendor, and so bring false records.
const sourceSecretDDL = `
ALTER TABLE source ADD COLUMN account text NOT NULL DEFAULT ''; -- the tenant's account at the vendor
ALTER TABLE source ADD COLUMN sealed bytea NOT NULL DEFAULT /*sqlite: x'' */ /*postgres: '' */; -- empty: it has a key only
ALTER TABLE source ADD COLUMN old_sealed bytea NOT NULL DEFAULT /*sqlite: x'' */ /*postgres: '' */; -- until old_ends
`

// tenantSettingsDDL is what a tenant decides about where its people are at home.
//
// Thief's gain: which countries a tenant sends to which region.
const tenantSettingsDDL = `
ALTER TABLE tenant ADD COLUMN settings text NOT NULL DEFAULT ''; -- residency.Settings in JSON; empty: the defaults
`

const (
	tenantSelect = `SELECT id, tenant, name, disabled, created_at, version, settings FROM tenant `
	sourceSelect = `SELECT tenant, id, hash, old_hash, old_ends, disabled, created_at, name, adapter, service, trust, account, sealed, old_sealed FROM source `
	tokenSelect  = `SELECT tenant, id, hash, old_hash, old_ends, disabled, created_at, name FROM token `
	oldestFirst  = ` ORDER BY tenant, created_at, id`
)

// Tenants keeps tenants with their sources and tokens.
type Tenants struct{}

var _ tenant.Store = Tenants{}

// ChangedSince returns the accounts whose version is above after, oldest change first.
func (Tenants) ChangedSince(tx store.Tx, after int64) ([]tenant.Account, error) {
	c := conn(tx)
	accounts, err := scanAccounts(c, `WHERE cell = 1 AND version > $1 ORDER BY version`, after)
	if err != nil || len(accounts) == 0 {
		return nil, err
	}
	return accounts, fillAccounts(c, accounts, after == 0)
}

// Account returns one account; found is false when there is none of that id.
func (Tenants) Account(tx store.Tx, id string) (a tenant.Account, found bool, err error) {
	c := conn(tx)
	accounts, err := scanAccounts(c, `WHERE cell = 1 AND id = $1`, id)
	if err != nil || len(accounts) == 0 {
		return a, false, err
	}
	return accounts[0], true, fillAccounts(c, accounts, false)
}

// NextTenant returns a number that no tenant of the cell ever had.
func (Tenants) NextTenant(tx store.Tx) (no uint32, err error) {
	_, err = one(conn(tx), `SELECT coalesce(max(tenant), 0) + 1 FROM tenant WHERE cell = 1`, func(r Row) { no = uint32(r.Int(0)) })
	return no, err
}

// PutTenant inserts or replaces a tenant and gives its account the newest version.
func (Tenants) PutTenant(tx store.Tx, t tenant.Tenant) error {
	settings := ""
	if t.Settings != nil {
		b, err := json.Marshal(t.Settings)
		if err != nil {
			return fmt.Errorf("encode the settings of %s: %w", t.ID, err)
		}
		settings = string(b)
	}
	_, err := conn(tx).Exec(`INSERT INTO tenant (cell, id, tenant, name, disabled, created_at, settings, version)
		VALUES (1, $1, $2, $3, $4, $5, $6, (SELECT coalesce(max(version), 0) + 1 FROM tenant WHERE cell = 1))
		ON CONFLICT (cell, id) DO UPDATE SET name = excluded.name, disabled = excluded.disabled, settings = excluded.settings,
			version = excluded.version`, t.ID, t.No, t.Name, t.Disabled, t.CreatedAt.UnixMilli(), settings)
	return err
}

// PutSource inserts or replaces a source.
func (Tenants) PutSource(tx store.Tx, s tenant.StoredSource) error {
	_, err := conn(tx).Exec(`INSERT INTO source (tenant, id, name, adapter, service, trust, disabled, created_at, hash, old_hash, old_ends,
			account, sealed, old_sealed)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
		ON CONFLICT (tenant, id) DO UPDATE SET name = excluded.name, disabled = excluded.disabled, hash = excluded.hash,
			old_hash = excluded.old_hash, old_ends = excluded.old_ends, sealed = excluded.sealed, old_sealed = excluded.old_sealed`,
		s.Tenant, s.ID, s.Name, s.Adapter, s.Service, string(s.Trust), s.Disabled, s.CreatedAt.UnixMilli(), s.Hash, s.Old, millis(s.OldEnds),
		s.Account, s.Sealed, s.OldSealed)
	return err
}

// PutToken inserts or replaces a token.
func (Tenants) PutToken(tx store.Tx, t tenant.StoredToken) error {
	_, err := conn(tx).Exec(`INSERT INTO token (tenant, id, name, disabled, created_at, hash, old_hash, old_ends)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (tenant, id) DO UPDATE SET name = excluded.name, disabled = excluded.disabled, hash = excluded.hash,
			old_hash = excluded.old_hash, old_ends = excluded.old_ends`,
		t.Tenant, t.ID, t.Name, t.Disabled, t.CreatedAt.UnixMilli(), t.Hash, t.Old, millis(t.OldEnds))
	return err
}

func scanAccounts(c Conn, where string, args ...any) (all []tenant.Account, err error) {
	err = c.Query(tenantSelect+where, func(r Row) error {
		a := tenant.Account{Version: r.Int(5), Tenant: tenant.Tenant{ID: r.Text(0), No: uint32(r.Int(1)),
			Name: r.Text(2), Disabled: r.Int(3) != 0, CreatedAt: instant(r.Int(4))}}
		if text := r.Text(6); text != "" {
			a.Settings = new(residency.Settings)
			if err := json.Unmarshal([]byte(text), a.Settings); err != nil {
				return fmt.Errorf("read the settings of %s: %w", a.ID, err)
			}
		}
		all = append(all, a)
		return nil
	}, args...)
	return all, err
}

// fillAccounts loads what belongs to accounts: in one sweep when they are all there are, else each
// tenant's by its number.
func fillAccounts(c Conn, accounts []tenant.Account, all bool) error {
	byNo := make(map[uint32]*tenant.Account, len(accounts))
	args := make([][]any, len(accounts))
	for i := range accounts {
		byNo[accounts[i].No], args[i] = &accounts[i], []any{accounts[i].No}
	}
	for _, of := range []struct {
		sql string
		add func(*tenant.Account, Row)
	}{{sourceSelect, addSource}, {tokenSelect, addToken}} {
		add := func(r Row) error {
			if a := byNo[uint32(r.Int(0))]; a != nil {
				of.add(a, r)
			}
			return nil
		}
		var err error
		if all {
			err = c.Query(of.sql+oldestFirst, add)
		} else {
			err = c.QueryEach(of.sql+`WHERE tenant = $1`+oldestFirst, args, func(_ int, r Row) error { return add(r) })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func addSource(a *tenant.Account, r Row) {
	s := secret(r)
	a.Sources = append(a.Sources, tenant.StoredSource{Secret: s, Sealed: r.Bytes(12), OldSealed: r.Bytes(13), Source: tenant.Source{Tenant: a.No, TenantID: a.ID,
		ID: r.Text(1), Disabled: r.Int(5) != 0, CreatedAt: instant(r.Int(6)), Name: r.Text(7), Adapter: r.Text(8),
		Service: r.Text(9), Trust: term.Trust(r.Text(10)), Account: r.Text(11), OldKeyValidTo: s.OldEnds}})
}

func addToken(a *tenant.Account, r Row) {
	s := secret(r)
	a.Tokens = append(a.Tokens, tenant.StoredToken{Secret: s, Token: tenant.Token{Tenant: a.No, TenantID: a.ID,
		ID: r.Text(1), Disabled: r.Int(5) != 0, CreatedAt: instant(r.Int(6)), Name: r.Text(7), OldTokenValidTo: s.OldEnds}})
}

func secret(r Row) tenant.Secret {
	return tenant.Secret{Hash: r.Bytes(2), Old: r.Bytes(3), OldEnds: instant(r.Int(4))}
}

// millis and instant are times in the store: Unix milliseconds, 0 for none.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
