package matching

import (
	"testing"

	"entente/protocol/person"
	"entente/simulations/world"
)

func measure(t *testing.T, seed uint64, o world.Options, m Options) Result {
	t.Helper()
	set, err := world.Names(seed, o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Measure(set, m)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func log(t *testing.T, r Result) {
	t.Helper()
	t.Logf("candidate recall %.4f, %.2f keys and %.2f candidates a record", r.CandidateRecall(), share(r.Keys, r.Records), share(r.Candidates, r.Records))
	t.Logf("right %d, wrong %d (decoys %d, expected %.0f), precision %.3f, recall %.3f, F1 %.4f, worst %s",
		r.Right, r.Wrong, r.DecoyHits, r.Expected, r.Precision(), r.Recall(), r.F1(), r.Worst().Culture)
	for _, c := range r.Cultures {
		t.Logf("  %-14s %3d pairs, candidate recall %.3f, precision %.3f, recall %.3f, F1 %.3f", c.Culture, c.Pairs, c.CandidateRecall(), c.Precision(), c.Recall(), c.F1())
	}
}

// TestFrozenSets holds what is promised of the frozen sets.
func TestFrozenSets(t *testing.T) {
	r := measure(t, world.QualitySeed, world.Quality(), Options{Threshold: person.DefaultThreshold})
	log(t, r)
	if r.CandidateRecall() < 0.95 || r.F1() < 0.75 {
		t.Errorf("candidate recall %.4f, F1 %.4f", r.CandidateRecall(), r.F1())
	}
	r = measure(t, world.RareSeed, world.Rare(), Options{Threshold: person.DefaultThreshold})
	t.Logf("rare set: %d wrong, %.1f per 10,000 records, expected were %.0f", r.Wrong, r.WrongPerTenThousand(), r.Expected)
	if r.Expected < float64(r.Wrong)/2 || r.Expected > 2*float64(r.Wrong) {
		t.Errorf("%d wrong matches, expected were %.0f", r.Wrong, r.Expected)
	}
}

// TestCapLosesLittle: leaving out keys that more than five records share costs few true pairs
// and never adds a candidate.
func TestCapLosesLittle(t *testing.T) {
	o := world.Options{Records: 10_000, Pairs: 1000}
	all := measure(t, 11, o, Options{Threshold: person.DefaultThreshold})
	capped := measure(t, 11, o, Options{Threshold: person.DefaultThreshold, BucketCap: 5})
	t.Logf("%d of %d true pairs met, %d with the cap; %d candidates, %d with the cap", all.Met, all.Pairs, capped.Met, all.Candidates, capped.Candidates)
	if capped.Candidates > all.Candidates || capped.Met > all.Met || float64(capped.Met) < 0.9*float64(all.Met) {
		t.Error("the cap loses more than it may")
	}
	tight := measure(t, 11, o, Options{Threshold: person.DefaultThreshold, BucketCap: 1})
	if tight.Candidates >= all.Candidates/2 {
		t.Error("a cap of one record leaves most candidates")
	}
}

func TestTally(t *testing.T) {
	x := Tally{Pairs: 10, Met: 9, Right: 6, Wrong: 2}
	if x.CandidateRecall() != 0.9 || x.Precision() != 0.75 || x.Recall() != 0.6 || x.F1() != 2*0.75*0.6/(0.75+0.6) {
		t.Errorf("%v %v %v %v", x.CandidateRecall(), x.Precision(), x.Recall(), x.F1())
	}
	if (Tally{}).F1() != 0 {
		t.Error("nothing has an F1")
	}
}
