// Package adversary attacks publications of one list, to measure what each of them gives
// away. It holds the weak baselines for that, so no node may link it (layout_test.go): the
// demonstration, which nodes link, quotes a record of a smaller sweep, and a test here
// repeats that sweep and compares (simulations/demo/data/sweep.json).
//
// The attack is the sweep: A has every number of a numbering plan as a guess, and B has
// published a list of such numbers in three ways.
//
//   - Filter. A Bloom filter (Bloom, CACM 13(7), 1970) under a keyed hash whose key all
//     members share, as filter-sharing systems have it: A needs the key to look up own
//     numbers, so A can look up all numbers. See filter.go.
//   - Tags. The publication of a standing round (protocol/standing, OPRF of RFC 9497): A
//     has all tags and tests the guesses with everything that can be computed without B.
//     See offline.go.
//   - Questions. The counted questions of the same standing round, over protocol/standing's
//     Ask and Hold: A puts guesses into them until B refuses, and tries again on every day
//     of the tag period. See online.go.
//
// What A learns is held against the ideal: the listed numbers among the guesses for which
// B charged a place. More than that must come out of the filter and never out of the rest;
// Report.Contradictions says where a run differs.
//
// All randomness of a run derives from its seed, so Results are equal for equal settings;
// what a run measures is apart from them. The numbers are invented: they begin with +999,
// a code that the ITU keeps in reserve, and which nobody has.
//
// It promises no proof: that the attacks tried here find nothing in tags does not show
// that none does; that rests on the assumption that RFC 9497 states. It simulates no
// network, no policy and no people. The partner's books that it shows are those of
// protocol/standing's Account, which nodes store as well.
package adversary

import (
	"context"
	"fmt"

	"entente/crypto/ristretto"
	"entente/protocol/standing"
	"entente/protocol/wire"
	"entente/simulations/measure"
)

// Settings of a sweep.
type Settings struct {
	Guesses int    `json:"guesses"` // numbers of the plan, all of which A tries
	Held    int    `json:"held"`    // numbers on B's list
	Quota   int    `json:"quota"`   // places that B answers in a tag period; a size class
	Seed    uint64 `json:"seed"`
}

// Bounds of the settings.
const (
	MinGuesses = 1_000
	MaxGuesses = 10_000_000
)

// Defaults are the settings of the published figures.
func Defaults() Settings { return Settings{Guesses: 1_000_000, Held: 10_000, Quota: 10_240, Seed: 1} }

// Check says in plain words what is wrong with the settings.
func (s Settings) Check() error {
	switch {
	case s.Guesses < MinGuesses, s.Guesses > MaxGuesses:
		return fmt.Errorf("guesses must be %d to %d, not %d", MinGuesses, MaxGuesses, s.Guesses)
	case s.Held < 1, s.Held > s.Guesses:
		return fmt.Errorf("held must be 1 to the number of guesses (%d), not %d", s.Guesses, s.Held)
	case s.Quota < wire.MinSizeClass, s.Quota > standing.MaxTags:
		return fmt.Errorf("quota must be %d to %d, not %d", wire.MinSizeClass, standing.MaxTags, s.Quota)
	case !wire.IsSizeClass(s.Quota):
		return fmt.Errorf("quota must be a size class, such as %d, not %d", wire.SizeClass(s.Quota), s.Quota)
	}
	return nil
}

// Progress is told how far a part of the work is. Calls come one after the other.
type Progress func(what string, done, total int)

// Sweep runs the three attacks. version is that of the program, for the report.
func Sweep(ctx context.Context, s Settings, version string, told Progress) (Report, error) {
	r := Report{Name: "filter-sweep", Settings: s, Versions: versions(version), Measured: Measured{Machine: measure.Machine()}}
	if err := s.Check(); err != nil {
		return r, err
	}
	if told == nil {
		told = func(string, int, int) {}
	}
	p := newPlan(s)
	r.Results.Chance = p.chance()
	b, err := newHolder(ctx, p, told)
	if err != nil {
		return r, fmt.Errorf("publish the list: %w", err)
	}
	for _, attack := range []func(context.Context, *plan, *holder, Progress, *Report) error{sweepFilter, sweepTags, sweepQuestions} {
		if err := attack(ctx, p, b, told, &r); err != nil {
			return r, err
		}
	}
	return r, nil
}

func versions(program string) Versions {
	return Versions{Program: program, Protocol: standing.Protocol, Go: goVersion(), Kernel: ristretto.Detect().String()}
}
