// Package arch holds the level of every package, and a test that reads the imports.
//
// A package imports only packages of a lower level, so that a reader can stop at any level and
// know that nothing below calls back up. A new package fails the test until it has a line here,
// and that line is the design review.
package arch

// Levels maps each package of the module, by its path below the module, to its level.
var Levels = map[string]int{
	"examples":         0, // the example programmes, embedded
	"internal/durable": 0, // folders whose names survive a power cut
	"internal/fault":   0, // the error that crosses package borders
	"internal/id":      0, // typed identifiers
	"internal/phrase":  0, // the fixed words of public documents, by language
	"internal/plain":   0, // the type that refuses to print
	"internal/scan":    0, // strict JSON scanner over bytes
	"internal/store":   0, // port: DB, Tx; no SQL
	"internal/term":    0, // vocabularies

	"internal/ingest":    1, // Event, Kind, Batch: what an adapter decodes into
	"internal/programme": 1, // load, check, hash
	"internal/seal":      1, // the format of a sealed part
	"internal/transit":   1, // what crosses when a person moves, sealed to the target

	"internal/residency": 2, // where a person is at home, by the tenant's rules

	"internal/law":      2, // transfer rules as data
	"internal/notice":   2, // the public documents, from a programme
	"internal/plan":     2, // tracking plans: what is planned, invalid, and where it might belong
	"internal/register": 2, // observed, dated facts

	"internal/subprocessor": 2, // what changed in the list of sub-processors, and what in it contradicts itself

	"internal/decision": 3, // Decide; compiles to Cedar; pure

	"internal/media":  3, // recordings and attachments: blobs, streamed; port of their store
	"internal/ledger": 3, // append, prove, verify
	"internal/record": 3, // the record log, its index and cursors
	"internal/vault":  3, // keys per person, epochs

	"internal/consent":   4, // the person's say
	"internal/subject":   4, // identifiers → subject
	"internal/tenant":    4, // tenants, sources, tokens
	"internal/pseudonym": 4, // the map back from what recipients call people

	"internal/flow": 5, // cursor → decide → transform → deliver
	"internal/form": 4, // what leaves, in which form; pure

	"internal/plane": 5, // ingest, read, erase, export: one file each

	"internal/drift": 6, // what a region does that its published notice doesn't say

	"internal/flow/wire": 6, // how connectors speak HTTP

	"internal/flow/objects": 8, // connectors import only the port they implement
	"internal/flow/region":  8,
	"internal/flow/webhook": 8,

	"internal/publish": 7, // versions, announcements, subscriptions, feeds

	"internal/mail":               8, // SMTP
	"internal/config":             8, // a node's configuration
	"internal/ingest/cloudevents": 8, // adapters and keyrings import only the port they implement
	"internal/ingest/native":      8,
	"internal/ingest/segment":     8,
	"internal/ingest/sendgrid":    8,
	"internal/ingest/twilio":      8,
	"internal/ingest/whatsapp":    8,
	"internal/media/fetch":        8, // gets what lies at a vendor
	"internal/media/files":        8, // blobs as files
	"internal/media/objects":      8, // blobs in a bucket
	"internal/store/sqlstore":     8, // all SQL text, once, for both engines
	"internal/vault/keyring":      8,
	"internal/web/guard":          8, // faults → RFC 9457, limits, headers

	"internal/client":         9, // the tenant API's client, for the CLI
	"internal/ingest/bulk":    9, // files as batches of native records, and the journal of an import
	"internal/store/postgres": 9,
	"internal/store/sqlite":   9,
	"internal/web/api":        9,
	"internal/web/centre":     9, // the public documents
	"internal/web/tiles":      9, // the ledger's public tiles

	"internal/app": 10, // a node from its config; `up` makes three

	"cmd/domicile": 11, // flags and exit codes, no rules
	"bench":        12, // measures the built binary over HTTP

	"e2e":                                 12, // the promises
	"internal/arch":                       12,
	"testkit/keys":                        12, // public vectors, read without our own code
	"testkit/form":                        12,
	"testkit/blob":                        12,
	"testkit/seal":                        12,
	"internal/flow/flowtest":              6, // the contract of connectors, a suite
	"internal/media/mediatest":            4, // the suite that both stores of blobs pass
	"internal/mail/mailtest":              0, // a server that speaks SMTP
	"internal/ingest/ingesttest":          2, // what tests of adapters share
	"internal/ingest/segment/segmenttest": 8, // requests as SDKs send them
	"internal/store/storetest":            9, // the suite that both engines pass
	"internal/store/storetest/pgtest":     0, // a private PostgreSQL server
}

// TestOnly names the packages that only tests, and other packages named here, may import.
var TestOnly = map[string]bool{
	"bench":                           true,
	"e2e":                             true,
	"internal/arch":                   true,
	"internal/flow/flowtest":          true,
	"internal/mail/mailtest":          true,
	"internal/media/mediatest":        true,
	"internal/store/storetest":        true,
	"internal/store/storetest/pgtest": true,
}
