//go:build unix

package compare

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
)

// processorTime is the processor time in seconds that the process has used so far.
func processorTime() float64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // fails only for a bad argument
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// BenchmarkCompare measures whole runs, both sides in one process, with base transfers.
func BenchmarkCompare(b *testing.B) {
	for _, n := range []int{10_000, 1 << 20} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			x, y := make([]uint16, n), make([]uint16, n)
			for i := range x {
				x[i], y[i] = uint16(rand.Uint32()), uint16(rand.Uint32())
			}
			bytes := 0
			begun := processorTime()
			for b.Loop() {
				s, h := start(b, Parameters{Threshold: 100, Learns: SenderLearns})
				bytes = RequestSize + ReplySize()
				for from := 0; from < n; from += MaxChunk {
					to := min(from+MaxChunk, n)
					o := run(b, s, h, x[from:to], y[from:to])
					bytes += o.bytes()
				}
			}
			b.ReportMetric((processorTime()-begun)*1e9/float64(b.N)/float64(n), "cpu-ns/comparison")
			b.ReportMetric(float64(bytes)/float64(n), "bytes/comparison")
		})
	}
}
