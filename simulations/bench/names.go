package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"

	"entente/crypto/he"
	"entente/protocol/exact"
	"entente/protocol/names"
	"entente/protocol/person"
	"entente/protocol/similar"
	"entente/protocol/wire"
	"entente/simulations/matching"
	"entente/simulations/world"
)

const (
	frozenRecords = 20_000 // of the frozen sets
	// candidatesPerRecord is what the bench lets both sides agree on, of each record of a list.
	candidatesPerRecord = 32
)

// runNames matches two lists of invented persons, both parties in this process over a pipe. With
// the default size they are the frozen ones, of which package world says what they mean. Every
// decision is checked against the clear. Wrong hits come from the second set, matched in the
// clear.
func runNames(ctx context.Context, m *meter, p Params) error {
	n := int(p["n"])
	quality, rare := world.Options{Records: n, Pairs: n / 10}, world.Options{Records: n, Pairs: min(2, n/10)}
	if n == frozenRecords {
		quality, rare = world.Quality(), world.Rare()
	}
	m.result.Kernel = he.Kernel()
	var set *world.Set
	err := m.prepare("generate", func() (err error) {
		set, err = world.Names(world.QualitySeed, quality)
		return err
	})
	if err != nil {
		return err
	}
	var probes, templates *people
	err = m.measure("derive", func() (err error) {
		if probes, err = derive(set.A, person.Probe); err == nil {
			templates, err = derive(set.B, person.Template)
		}
		return err
	})
	if err != nil {
		return err
	}
	match, err := newMatch(probes, templates)
	if err != nil {
		return err
	}
	if err := m.measure("match", func() error { return match.run(ctx) }); err != nil {
		return err
	}
	total := float64(match.asked.BytesSent + match.asked.BytesReceived)
	m.result.BytesPerItem = total / float64(2*n)
	m.figure("total_bytes", total)
	if n == frozenRecords {
		m.figure("cpu_seconds_20k", m.result.CPUSeconds)
	}
	return m.prepare("check", func() error { return nameFigures(m, set, match, rare) })
}

// people are the records of one side.
type people struct {
	keys    [][][]byte
	vectors [][]int8
}

func derive(records []world.Record, side person.Side) (*people, error) {
	x := &people{}
	for _, r := range records {
		p, _, err := person.Parse(person.Fields{Name: r.Name, Born: r.Born}, person.Defaults{})
		if err != nil {
			return nil, fmt.Errorf("record %s: %w", r.ID, err)
		}
		profile := p.Profile()
		x.keys = append(x.keys, profile.Keys())
		x.vectors = append(x.vectors, profile.Features(side)[:])
	}
	return x, nil
}

// Len is the number of records.
func (x *people) Len() int { return len(x.vectors) }

// Keys returns the keys of a record.
func (x *people) Keys(_ context.Context, position int) ([][]byte, error) {
	return x.keys[position], nil
}

// Vectors returns vectors of records.
func (x *people) Vectors(_ context.Context, positions []int) ([][]int8, error) {
	out := make([][]int8, len(positions))
	for i, p := range positions {
		out[i] = x.vectors[p]
	}
	return out, nil
}

// nameMatch is a run of both sides.
type nameMatch struct {
	asker, answerer   names.Session
	probes, templates *people
	asked, answered   names.Result
}

func newMatch(probes, templates *people) (*nameMatch, error) {
	suite, err := exact.Lookup("oprf")
	if err != nil {
		return nil, err
	}
	s := names.Session{
		Kind: "person key", Version: person.Version, Model: "person", Dimension: person.Dimensions, Threshold: person.DefaultThreshold,
		Probes: wire.SizeClass(probes.Len()), Templates: wire.SizeClass(templates.Len()),
		Candidates: candidatesPerRecord * max(probes.Len(), templates.Len()), Learns: similar.BothLearn,
	}
	asks, answers := similar.Secret{1}, similar.Secret{2} // no seed of a bench protects anything
	s.AskerCommitment, s.AnswererCommitment = asks.Commit(), answers.Commit()
	x := &nameMatch{asker: s, answerer: s, probes: probes, templates: templates}
	x.asker.Secret, x.answerer.Secret = asks, answers
	if x.asker.KeySecret, _, err = suite.NewSecret(); err != nil {
		return nil, err
	}
	x.answerer.KeySecret, x.asker.KeyPublic, err = suite.NewSecret()
	return x, err
}

func (x *nameMatch) run(ctx context.Context) error {
	a, b := net.Pipe()
	var failed [2]error
	var both sync.WaitGroup
	both.Go(func() {
		defer a.Close()
		x.asked, failed[0] = names.Ask(ctx, a, x.asker, x.probes, new(exact.MemoryJournal), nil)
	})
	both.Go(func() {
		defer b.Close()
		x.answered, failed[1] = names.Answer(ctx, b, x.answerer, x.templates, new(exact.MemoryJournal), nil)
	})
	both.Wait()
	return errors.Join(failed[0], failed[1])
}

// hits are the pairs of positions that reach the threshold, as each side has learned them.
func (x *nameMatch) hits() (asker, answerer []matching.Match, err error) {
	positions := func(side func(similar.Session, int) ([]uint32, error), s names.Session, records int) (map[uint32]int, error) {
		places, err := side(s.Similar(), records)
		out := map[uint32]int{}
		for position, place := range places {
			out[place] = position
		}
		return out, err
	}
	probes, err := positions(similar.AskerPlaces, x.asker, x.probes.Len())
	if err != nil {
		return nil, nil, err
	}
	templates, err := positions(similar.AnswererPlaces, x.answerer, x.templates.Len())
	if err != nil {
		return nil, nil, err
	}
	for _, h := range x.asked.Hits {
		asker = append(asker, matching.Match{A: h.Position, B: templates[h.Place]})
	}
	for _, h := range x.answered.Hits {
		answerer = append(answerer, matching.Match{A: probes[h.Place], B: h.Position})
	}
	for _, hits := range [][]matching.Match{asker, answerer} {
		slices.SortFunc(hits, matching.Match.Compare)
	}
	return asker, answerer, nil
}

// nameFigures checks every decision of both sides, and counts what they are worth.
func nameFigures(m *meter, set *world.Set, x *nameMatch, rare world.Options) error {
	options := matching.Options{Threshold: person.DefaultThreshold, BucketCap: names.BucketCap}
	clear, err := matching.Measure(set, options)
	if err != nil {
		return err
	}
	asker, answerer, err := x.hits()
	if err != nil {
		return err
	}
	wrong := differences(asker, clear.Matches) + differences(answerer, clear.Matches)
	if wrong > 0 || x.asked.Candidates != clear.Candidates || x.answered.Candidates != clear.Candidates {
		return fmt.Errorf("%d decisions are wrong, %d and %d candidates of %d", wrong, x.asked.Candidates, x.answered.Candidates, clear.Candidates)
	}
	m.figure("wrong_decisions", float64(wrong))
	m.figure("decisions", float64(clear.Candidates))
	m.figure("common_keys", float64(x.asked.Labels))
	m.figure("candidates_per_record", float64(clear.Candidates)/float64(clear.Records))
	m.figure("candidate_recall", clear.CandidateRecall())
	m.figure("precision", clear.Precision())
	m.figure("recall", clear.Recall())
	m.figure("f1", clear.F1())
	for _, c := range clear.Cultures {
		m.figure("precision "+string(c.Culture), c.Precision())
		m.figure("recall "+string(c.Culture), c.Recall())
	}
	worst := clear.Worst()
	m.figure("worst_f1 "+string(worst.Culture), worst.F1())

	second, err := world.Names(world.RareSeed, rare)
	if err != nil {
		return err
	}
	few, err := matching.Measure(second, options)
	if err != nil {
		return err
	}
	m.figure("wrong_hits_per_10k", few.WrongPerTenThousand())
	m.figure("expected_wrong_hits_per_10k", few.Expected*1e4/float64(few.Records))
	return nil
}

// differences is how many elements two ascending lists do not share.
func differences(a, b []matching.Match) (n int) {
	for len(a) > 0 || len(b) > 0 {
		order := cmp.Compare(len(b), len(a)) // if one is empty, the other's is the lower one
		if len(a) > 0 && len(b) > 0 {
			order = a[0].Compare(b[0])
		}
		switch {
		case order == 0:
			a, b = a[1:], b[1:]
		case order < 0:
			a, n = a[1:], n+1
		default:
			b, n = b[1:], n+1
		}
	}
	return n
}
