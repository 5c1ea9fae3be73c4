package measure

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestStopwatchCountsWork(t *testing.T) {
	s := Start()
	for began := ProcessorTime(); ProcessorTime()-began < 10*time.Millisecond; {
		runtime.GC() // the estimate of some systems moves with collections only
	}
	if d := s.Span(); d.CPUSeconds < 0.01 || d.WallSeconds <= 0 {
		t.Errorf("10 ms of work measured as %+v", d)
	}
}

func TestPeakMemoryCountsWhatIsHeld(t *testing.T) {
	held := make([]byte, 64<<20)
	for i := 0; i < len(held); i += 512 {
		held[i] = 1
	}
	if n := PeakMemory(); n < int64(len(held)) {
		t.Errorf("peak memory of %d bytes with %d held", n, len(held))
	}
	runtime.KeepAlive(held)
}

func TestMachineNamesWhatMatters(t *testing.T) {
	for _, part := range []string{runtime.GOOS, runtime.GOARCH, runtime.Version()} {
		if !strings.Contains(Machine(), part) {
			t.Errorf("%q lacks %q", Machine(), part)
		}
	}
}
