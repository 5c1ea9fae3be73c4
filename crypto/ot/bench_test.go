//go:build unix

package ot

import (
	"fmt"
	"syscall"
	"testing"
)

// processorTime is the processor time in seconds that the process has used so far.
func processorTime() float64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // fails only for a bad argument
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// BenchmarkFieldBits measures extensions with trees of different depths, both sides, from
// which fieldBits is chosen.
func BenchmarkFieldBits(b *testing.B) {
	const n = 155_648
	for depth := 2; depth <= 6; depth++ {
		b.Run(fmt.Sprint(depth), func(b *testing.B) {
			s, r := sides(b, depth, 1)
			zero, one := make([]Block, 1024), make([]Block, 1024)
			choices := make([]byte, 1024)
			start := processorTime()
			for b.Loop() {
				ours, theirs := extend(b, s, r, n)
				for ours.Len() > 0 {
					k := min(1024, ours.Len())
					if err := ours.Take(zero[:k], one[:k]); err != nil {
						b.Fatal(err)
					}
					if err := theirs.Take(zero[:k], choices[:k]); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric((processorTime()-start)*1e9/float64(b.N)/n, "cpu-ns/transfer")
			b.ReportMetric(float64(shapeOf(depth).columnsSize(rowsFor(n))+ChallengeSize+ProofSize)/n, "bytes/transfer")
		})
	}
}
