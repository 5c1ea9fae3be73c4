package person

import (
	"math"
	"slices"
)

// sampleMost bounds the own records that an expectation looks at: 50,000 records hold
// 1.25e9 pairs, which settle a rate of 1e-7 to about 9 %.
const sampleMost = 50000

// tailLeast is how many pairs the tail of scores is read from.
const tailLeast = 200

// referenceRate is the share of pairs of unrelated persons that reach DefaultThreshold among
// names of eighteen cultures in equal parts, drawn with frequencies like 1/rank (the simulations'
// generator, development seeds 31 to 33: 198 of 1.2e9 pairs). Each bit of the threshold halves
// it. It stands in for own data that say too little, with the weight of referenceEvents
// observed wrong hits.
const (
	referenceRate   = 1.65e-7
	referenceEvents = 4
)

// Expected is what a node can say before a round about hits that are none.
type Expected struct {
	Rate float64 // share of pairs of unrelated records that reach the threshold
	Hits float64 // expected wrong hits: Rate times own records times the partner's
}

// ExpectWrongHits predicts the wrong hits of a round from the own list and the size of the
// partner's. It matches the own list against itself: two different records of one list are
// different persons, so that each pair that reaches the threshold is a wrong hit. It
// assumes that the partner's names are as mixed as one's own; a partner with other cultures
// gives fewer. Persons who are in the own list twice, in different spelling, count as wrong
// hits; records that are equal to the letter do not.
//
// The number above the threshold is small in small lists, so it is read from the tail of
// scores below it, which falls exponentially, and drawn towards a reference.
func ExpectWrongHits(own []Profile, partner int, threshold int) Expected {
	sample := own
	if len(sample) > sampleMost {
		sample = every(own, sampleMost)
	}
	pairs := float64(len(sample)) * float64(len(sample)-1) / 2
	above := tailAbove(scoresWithin(sample), threshold)
	reference := referenceRate * math.Exp2(float64(DefaultThreshold-threshold)/Unit)
	rate := (above + referenceEvents) / (pairs + referenceEvents/reference)
	return Expected{Rate: rate, Hits: rate * float64(len(own)) * float64(partner)}
}

// every takes n profiles at equal distances.
func every(own []Profile, n int) []Profile {
	out := make([]Profile, n)
	for i := range out {
		out[i] = own[i*len(own)/n]
	}
	return out
}

// scoresWithin returns the scores of all candidate pairs of a list with itself.
func scoresWithin(own []Profile) []int {
	buckets := map[string][]int32{}
	keys := make([][][]byte, len(own))
	vectors := make([]*Vector, len(own))
	for i, p := range own {
		keys[i], vectors[i] = p.Keys(), p.Features(Probe)
		for _, k := range keys[i] {
			buckets[string(k)] = append(buckets[string(k)], int32(i))
		}
	}
	var scores []int
	seen := make([]int32, len(own)) // last record that met this one, plus one
	for i := range own {
		template := own[i].Features(Template)
		for _, k := range keys[i] {
			for _, j := range buckets[string(k)] {
				if int(j) >= i || seen[j] == int32(i+1) || own[j].text == own[i].text {
					continue
				}
				seen[j] = int32(i + 1)
				scores = append(scores, Product(vectors[j], template))
			}
		}
	}
	return scores
}

// tailAbove estimates how many scores reach the threshold. With tailLeast or more above it
// they are counted; with fewer, the tail from the highest level that has tailLeast is
// taken as exponential with its mean excess.
func tailAbove(scores []int, threshold int) float64 {
	slices.SortFunc(scores, func(a, b int) int { return b - a })
	above, _ := slices.BinarySearchFunc(scores, threshold, func(s, t int) int {
		if s >= t {
			return -1
		}
		return 1
	})
	if above >= tailLeast || len(scores) == 0 {
		return float64(above)
	}
	n := min(tailLeast, len(scores))
	level := scores[n-1]
	excess := 0.0
	for _, s := range scores[:n] {
		excess += float64(s - level)
	}
	mean := excess / float64(n)
	if mean == 0 {
		return 0
	}
	return float64(n) * math.Exp(-float64(threshold-level)/mean)
}
