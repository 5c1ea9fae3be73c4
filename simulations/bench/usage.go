package bench

import (
	"time"

	"entente/simulations/measure"
)

func processorTime() time.Duration { return measure.ProcessorTime() }

func peakMemory() int64 { return measure.PeakMemory() }
