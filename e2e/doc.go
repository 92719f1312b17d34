// Package e2e holds the promises, one test of the same name each, run against the built binary
// over HTTP on both stores, and the journeys that go with them. docs/promises.md says what each
// promise covers.
package e2e
