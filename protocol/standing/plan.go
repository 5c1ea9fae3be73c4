package standing

import "entente/protocol/wire"

const (
	// firstDummies is how many dummies a publication has at least, besides those that the
	// period's runs will remove. Each new item takes a dummy's place in a run of 64 and 64, so
	// this many less MinDummies may come in a tag period before a run has to grow.
	firstDummies = 4 * MinDummies
	// plannedRuns bounds the runs for which dummies are set aside.
	plannedRuns = 1024
)

// PublicationClass returns how many tags the publication of a list of items has; the rest
// are dummies. There are more of them than the runs at the agreed cadence remove until the
// period ends: else the asker would see them run out, and so count the items.
func (s *Session) PublicationClass(items int) int {
	return publicationClass(items, s.PeriodSeconds, s.Cadence)
}

func publicationClass(items int, period, cadence uint32) int {
	runs := min(int(period/max(cadence, 1))+1, plannedRuns)
	return wire.SizeClass(items + firstDummies + MinDummies*runs)
}

// PlanQuestions returns the classes of the chunks that ask about so many items: together the
// size class of the number of items, so that the holder learns no more than that. No item at
// all is one chunk of padding.
func PlanQuestions(items int) []int {
	var classes []int
	for left := wire.SizeClass(items); left > 0; {
		// Classes over MaxPlaces are multiples of a quarter of it, so what is left in the end
		// is a class as well.
		class := min(left, MaxPlaces)
		classes = append(classes, class)
		left -= class
	}
	return classes
}

// RunPlan says what goes into the next run: real tags, and dummies that fill both lists up
// to size classes.
type RunPlan struct {
	Adds, AddDummies       int // new tags of items, new dummies
	Removes, RemoveDummies int // tags of items that are gone, dummies published in an earlier run
}

// PlanRun plans one run of a feed that has adds and removes to tell and so many living
// dummies, at least MinDummies. What does not fit stays for the next run. After the run
// there are again at least MinDummies. Without anything to tell it is the run of 64 and 64
// that goes out at every cadence.
func PlanRun(adds, removes, dummies int) RunPlan {
	p := RunPlan{Removes: min(removes, MaxRun)}
	p.RemoveDummies = wire.SizeClass(p.Removes) - p.Removes
	if p.RemoveDummies > dummies {
		// A class full of real ones now, what is left over in the next run: that has a
		// remainder that the dummies can fill, since the steps of small classes are small.
		p.Removes, p.RemoveDummies = classBelow(p.Removes), 0
	}
	missing := max(0, MinDummies-(dummies-p.RemoveDummies))
	p.Adds = min(adds, MaxRun-missing)
	p.AddDummies = wire.SizeClass(p.Adds+missing) - p.Adds
	return p
}

// classBelow returns the largest size class that is at most n, which is at least the least.
func classBelow(n int) int {
	step := wire.MinSizeClass / 4
	for 8*step <= n {
		step *= 2
	}
	return n / step * step
}
