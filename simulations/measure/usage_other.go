//go:build !unix && !windows

package measure

import (
	"runtime/metrics"
	"time"
)

// ProcessorTime is the Go runtime's own estimate, which it refreshes at each collection.
func ProcessorTime() time.Duration {
	s := []metrics.Sample{{Name: "/cpu/classes/total:cpu-seconds"}, {Name: "/cpu/classes/idle:cpu-seconds"}}
	metrics.Read(s)
	return time.Duration((s[0].Value.Float64() - s[1].Value.Float64()) * float64(time.Second))
}

// PeakMemory is what the Go runtime has mapped, an upper estimate of the resident size.
func PeakMemory() int64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64())
}
