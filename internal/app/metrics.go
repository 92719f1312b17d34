package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"domicile.dev/internal/ledger"
)

// ledgerMetrics are the ledger's own counts, as metrics.
func ledgerMetrics(l *ledger.Ledger) []prometheus.Collector {
	count := func(name, help string, of func(ledger.Counts) int64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "domicile_ledger_" + name, Help: help},
			func() float64 { return float64(of(l.Counts())) })
	}
	return []prometheus.Collector{
		count("entries_total", "Entries appended, sub-entries included.", func(c ledger.Counts) int64 { return c.Entries }),
		count("leaves_total", "Leaves appended.", func(c ledger.Counts) int64 { return c.Leaves }),
		count("signed_total", "Checkpoints signed.", func(c ledger.Counts) int64 { return c.Signed }),
		count("sign_refused_total", "Checkpoints not signed, because the tree did not extend what was signed before: somebody changed the store.", func(c ledger.Counts) int64 { return c.SignRefused }),
		count("cosigned_total", "Other regions' checkpoints cosigned.", func(c ledger.Counts) int64 { return c.Cosigned }),
		count("refused_total", "Other regions' checkpoints that did not extend what this one holds.", func(c ledger.Counts) int64 { return c.Refused }),
		count("witnessed_total", "Cosignatures got from other regions.", func(c ledger.Counts) int64 { return c.Witnessed }),
		count("push_failed_total", "Calls to other regions that failed.", func(c ledger.Counts) int64 { return c.PushFailed }),
		count("behind_total", "Times that a witness held more of this log than the log itself, or another one.", func(c ledger.Counts) int64 { return c.Behind }),
	}
}
