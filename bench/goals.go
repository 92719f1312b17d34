package main

// goals are those of the design, for one store.
type goals struct {
	ingestShare    float64 // of the file limit
	sustainedShare float64 // of its own beginning
	p99            float64 // ms
	single         float64 // ms
	eventBytes     float64
	reads          float64 // a second
	creates        float64
	erases         float64
	loadMB, idleMB float64
	ledgerShare    float64 // per cent of CPU
	ready          float64 // s; 0 is none
	flow           float64 // records a second
}

var goalsOf = map[string]goals{
	"sqlite": {ingestShare: 0.6, sustainedShare: 0.6, p99: 30, single: 1.5, eventBytes: 360, reads: 10_000,
		creates: 10_000, erases: 8_000, loadMB: 400, idleMB: 200, ledgerShare: 3, ready: 2, flow: 100_000},
	"postgres": {ingestShare: 0.45, sustainedShare: 0.6, p99: 40, single: 3, eventBytes: 420, reads: 5_000,
		creates: 5_000, erases: 4_000, loadMB: 400, idleMB: 200, ledgerShare: 3, flow: 80_000},
}
