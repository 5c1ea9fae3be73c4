//go:build !windows

package store

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"entente/node/intake"
)

// BenchmarkImport measures what the store adds to an import: CPU time of Add and
// Commit for a million new rows, and the largest resident set of the process.
func BenchmarkImport(b *testing.B) { benchmarkImport(b, newDesk(b)) }

// BenchmarkImportFollowed does it while a subscription follows the log of changes.
func BenchmarkImportFollowed(b *testing.B) {
	d := newDesk(b)
	d.follow(b)
	benchmarkImport(b, d)
}

func benchmarkImport(b *testing.B, d *desk) {
	const rows, batch = 1_000_000, 4096
	for b.Loop() {
		l := d.list(b, fmt.Sprint("list ", time.Now().UnixNano()), "suspect")
		i, err := d.Importer(b.Context(), l.ID)
		if err != nil {
			b.Fatal(err)
		}
		var used time.Duration
		for from := 0; from < rows; from += batch {
			records := make([]intake.Record, 0, batch)
			for n := from; n < min(from+batch, rows); n++ {
				records = append(records, row(b, (n*7919)%rows))
			}
			before := cpu(b)
			if _, err := i.Add(b.Context(), records); err != nil {
				b.Fatal(err)
			}
			used += cpu(b) - before
		}
		before := cpu(b)
		if err := i.Commit(b.Context(), nil); err != nil {
			b.Fatal(err)
		}
		commit := cpu(b) - before
		used += commit
		b.ReportMetric(commit.Seconds(), "cpu-s/commit")
		b.ReportMetric(used.Seconds(), "cpu-s/import")
		b.ReportMetric(peak(b), "MB-peak")

		start := time.Now()
		s := d.take(b, "ID", l)
		b.ReportMetric(time.Since(start).Seconds(), "s/snapshot")
		if s.Items != rows {
			b.Fatal(s.Items)
		}
		b.ReportMetric(peak(b), "MB-peak-snapshot")
	}
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peak is the largest resident set so far, in megabytes, where the system tells it.
func peak(b *testing.B) float64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	rest, _, _ = strings.Cut(rest, "kB")
	kb, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
	if err != nil {
		b.Fatal(err)
	}
	return kb / 1000
}
