// Package measure tells what a run cost: processor time and peak memory of the whole
// process, and on which machine that was.
//
// The figures come from the operating system where it has them (getrusage on Unix,
// GetProcessTimes on Windows) and else from the Go runtime. They include everything that
// the process did besides, so whoever publishes a figure runs one thing in a process. No
// two runs measure the same: what has to be reproducible must not depend on them.
package measure

import (
	"fmt"
	"runtime"
	"time"
)

// Machine describes system, architecture, processors in use and Go version.
func Machine() string {
	return fmt.Sprintf("%s/%s, %d processors, %s", runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), runtime.Version())
}

// Span is the time that something took.
type Span struct {
	CPUSeconds  float64 `json:"cpu_seconds"` // of all threads together
	WallSeconds float64 `json:"wall_seconds"`
}

// Stopwatch measures from Start on.
type Stopwatch struct {
	wall time.Time
	cpu  time.Duration
}

// Start begins to measure.
func Start() Stopwatch { return Stopwatch{time.Now(), ProcessorTime()} }

// Span returns what has passed since the start.
func (s Stopwatch) Span() Span {
	return Span{CPUSeconds: (ProcessorTime() - s.cpu).Seconds(), WallSeconds: time.Since(s.wall).Seconds()}
}
