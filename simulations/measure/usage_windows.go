//go:build windows

package measure

import (
	"runtime/metrics"
	"syscall"
	"time"
)

// ProcessorTime is what the process has used, in user and kernel mode.
func ProcessorTime() time.Duration {
	var created, ended, kernel, user syscall.Filetime
	self, err := syscall.GetCurrentProcess()
	if err != nil {
		return 0
	}
	if err := syscall.GetProcessTimes(self, &created, &ended, &kernel, &user); err != nil {
		return 0
	}
	return span(kernel) + span(user)
}

// span reads a duration in units of 100 ns. Filetime.Nanoseconds is for dates: it
// subtracts the years from 1601 to 1970.
func span(f syscall.Filetime) time.Duration {
	return time.Duration(uint64(f.HighDateTime)<<32|uint64(f.LowDateTime)) * 100
}

// PeakMemory is what the Go runtime has mapped, an upper estimate of the resident size.
func PeakMemory() int64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64())
}
