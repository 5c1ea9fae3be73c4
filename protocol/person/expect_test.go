package person

import (
	"math"
	"slices"
	"testing"
)

func TestTailOfScores(t *testing.T) {
	// A thousand scores whose number halves every 300: above x there are 1000*2^(-x/300).
	var scores []int
	for i := range 1000 {
		scores = append(scores, int(-300*math.Log2((float64(i)+0.5)/1000)))
	}
	for _, threshold := range []int{0, 300, 600, 1500, 2700} {
		want := 1000 * math.Exp2(-float64(threshold)/300)
		if got := tailAbove(scores, threshold); got < want/1.3 || got > want*1.3 {
			t.Errorf("above %d: %.1f, want %.1f", threshold, got, want)
		}
	}
	if got := tailAbove(nil, 100); got != 0 {
		t.Errorf("above nothing: %f", got)
	}
	if got := tailAbove([]int{5, 5, 5}, 100); got != 0 {
		t.Errorf("equal scores: %f", got)
	}
}

func TestExpectationOfNothing(t *testing.T) {
	e := ExpectWrongHits(nil, 1000, DefaultThreshold)
	if e.Hits != 0 || math.Abs(e.Rate-referenceRate) > 1e-12 {
		t.Errorf("without own records: %+v", e)
	}
	one := developmentProfiles(t, 9, 1)
	if e := ExpectWrongHits(one, 1e6, DefaultThreshold); math.Abs(e.Hits-0.165) > 1e-6 {
		t.Errorf("one record against a million: %+v", e)
	}
	if a, b := ExpectWrongHits(one, 1000, DefaultThreshold), ExpectWrongHits(one, 1000, DefaultThreshold+Unit); math.Abs(a.Hits/b.Hits-2) > 1e-6 {
		t.Errorf("one bit more does not halve: %v, %v", a, b)
	}
}

// TestEqualRecordsAreNotCounted: where each record stands twice, each pair of different
// records is met four times, and no record meets its own copy.
func TestEqualRecordsAreNotCounted(t *testing.T) {
	var once []Profile
	seen := map[string]bool{}
	for _, p := range developmentProfiles(t, 10, 2000) {
		if !seen[p.text] {
			seen[p.text] = true
			once = append(once, p)
		}
	}
	n := len(scoresWithin(once))
	if m := len(scoresWithin(append(slices.Clone(once), once...))); n < 100 || m != 4*n {
		t.Errorf("%d pairs once, %d with every record twice", n, m)
	}
}

func TestSampleIsSpread(t *testing.T) {
	own := make([]Profile, 10)
	for i := range own {
		own[i].birth.Year = 1900 + i
	}
	for i, p := range every(own, 5) {
		if p.birth.Year != 1900+2*i {
			t.Errorf("place %d holds %d", i, p.birth.Year)
		}
	}
}
