//go:build unix

package exact

import (
	"fmt"
	"syscall"
	"testing"
)

// cpu is the processor time in seconds that the process has used so far; not what the Go
// runtime says, which counts waiting for a busy machine as well.
func cpu() float64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // fails only for a bad argument
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// BenchmarkRun measures whole runs, both sides in one process, and processor time against
// the estimate that plans show.
func BenchmarkRun(b *testing.B) {
	for _, c := range []struct {
		suite  string
		mutual bool
		n      int
	}{{nameOPRF, true, 1000}, {nameOPRF, true, 10_000}, {nameOPRF, false, 1 << 20}, {nameRFC, false, 10_000}, {nameCount, false, 10_000}} {
		b.Run(fmt.Sprintf("%s/%d", c.suite, c.n), func(b *testing.B) {
			start := cpu()
			var estimate, bytes float64
			for b.Loop() {
				su, err := Lookup(c.suite)
				if err != nil {
					b.Fatal(err)
				}
				g := rig{suite: su}
				g.r, g.s = agree(b, su, terms{mutual: c.mutual, receives: span(0, c.n), sends: span(c.n/2, c.n+c.n/2)})
				e := g.run(b.Context()).must(b)
				_, estimate = Estimate(c.suite, g.r.session.Receiver, g.s.session.Sender, c.mutual)
				bytes = float64(e.r.BytesSent + e.r.BytesReceived)
			}
			b.ReportMetric((cpu()-start)/float64(b.N), "cpu-s/run")
			b.ReportMetric(estimate, "estimated-cpu-s/run")
			b.ReportMetric(bytes/float64(c.n), "bytes/item")
		})
	}
}
