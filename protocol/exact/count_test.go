package exact

import (
	"context"
	"encoding/binary"
	"math"
	"testing"

	"entente/crypto/dp"
)

// noisyCount is what a count must give with the noise that the sender's journal holds.
func noisyCount(t *testing.T, g rig) int {
	t.Helper()
	n, err := noise(g.s.session.EpsilonMilli)
	if err != nil {
		t.Fatal(err)
	}
	dummies := 0
	if n.Max() > 0 {
		records := g.s.journal.records[noiseRecord]
		if len(records) != 1 {
			t.Fatalf("%d records of noise", len(records))
		}
		dummies = int(binary.BigEndian.Uint32(records[0]))
	}
	return max(0, len(overlap(g.r.set, g.s.set))+dummies-n.Shift())
}

func TestCountWithNoise(t *testing.T) {
	for _, about := range []terms{
		{epsilon: 10_000, receives: span(0, 40), sends: span(20, 100)},
		{epsilon: 1000, receives: span(0, 60), sends: span(50, 100)},
		{epsilon: 1000}, // nothing but dummies
	} {
		g := rig{suite: smallCount()}
		g.r, g.s = agree(t, g.suite, about)
		e := g.run(t.Context()).must(t)
		if want := noisyCount(t, g); e.r.Count != want {
			t.Errorf("count %d, want %d", e.r.Count, want)
		}
	}
}

// The count less the true one must be distributed as crypto/dp says of its noise.
func TestNoiseOfTheCountIsDistributedAsStated(t *testing.T) {
	const epsilon, draws = 2000, 20_000
	n, err := dp.NewNoise(epsilon)
	if err != nil {
		t.Fatal(err)
	}
	seen := make([]int, n.Max()+1)
	for range draws {
		o := &countSender{side: &side{noise: n, diary: &diary{journal: new(MemoryJournal)}}}
		d, err := o.drawNoise(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		again, err := o.drawNoise(context.Background())
		if err != nil || again != d {
			t.Fatalf("drawn twice: %d and %d, %v", d, again, err)
		}
		seen[d]++
	}
	chi, cells := 0.0, 0
	restWant, restSeen := 0.0, 0
	for d, got := range seen {
		want := draws * n.Probability(d)
		if want < 10 {
			restWant, restSeen = restWant+want, restSeen+got
			continue
		}
		chi += (float64(got) - want) * (float64(got) - want) / want
		cells++
	}
	chi += (float64(restSeen) - restWant) * (float64(restSeen) - restWant) / math.Max(restWant, 1)
	// Wilson and Hilferty: for k degrees of freedom six standard deviations, passed by
	// chance once in a billion.
	k := float64(cells)
	if limit := k * math.Pow(1-2/(9*k)+6*math.Sqrt(2/(9*k)), 3); chi > limit || cells < 5 {
		t.Errorf("chi square %.1f over %d cells, limit %.1f: %v", chi, cells, limit, seen)
	}
}

func TestNoiseThatCannotBeIsRefused(t *testing.T) {
	n, err := dp.NewNoise(1000)
	if err != nil {
		t.Fatal(err)
	}
	for name, record := range map[string][]byte{"too large": {0, 0, 0xff, 0xff}, "short": {1}, "negative": {0xff, 0xff, 0xff, 0xff}} {
		j := &MemoryJournal{records: map[string][][]byte{noiseRecord: {record}}}
		o := &countSender{side: &side{noise: n, diary: &diary{journal: j}}}
		if d, err := o.drawNoise(t.Context()); err == nil {
			t.Errorf("%s: %d", name, d)
		}
	}
}

// The order of answers must not be that of questions, or hits would have positions.
func TestAnswersOfACountAreShuffled(t *testing.T) {
	g := rig{suite: smallCount()}
	g.r, g.s = agree(t, g.suite, terms{receives: span(0, 64), sends: span(0, 64)})
	var tp tape
	g.wrap = tp.wrap
	g.run(t.Context()).must(t)
	key, err := senderKey(nameCount, g.s.session.Secret)
	if err != nil {
		t.Fatal(err)
	}
	place, fixed, n := make(map[string]int), 0, 0
	for i, chunk := range tp.of(kindQuestions) {
		masked, err := key.Scalar().Mask(chunk[indexSize:])
		if err != nil {
			t.Fatal(err)
		}
		for j := range len(masked) / elementSize {
			place[string(masked[j*elementSize:(j+1)*elementSize])] = 16*i + j
		}
	}
	for i, chunk := range tp.of(kindAnswers) {
		for j := range (len(chunk) - indexSize) / elementSize {
			from, ok := place[string(chunk[indexSize+j*elementSize:indexSize+(j+1)*elementSize])]
			if !ok {
				t.Fatal("an answer to no question")
			}
			n++
			if from == 16*i+j {
				fixed++
			}
		}
	}
	if n != 64 || fixed > 12 { // more than 12 fixed points: less than once in 2^32
		t.Errorf("%d answers, %d in the place of their question", n, fixed)
	}
}
