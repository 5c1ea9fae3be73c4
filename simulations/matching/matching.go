// Package matching measures how well persons are matched: it takes a set of invented records
// with its truth, finds candidates by shared keys, decides them by score, and counts, in the
// clear what a round computes under encryption.
//
// It promises nothing about real lists: read package world for what its figures mean.
package matching

import (
	"cmp"
	"fmt"
	"slices"

	"entente/protocol/person"
	"entente/simulations/world"
)

// Options say how a set is matched.
type Options struct {
	Threshold int // least score of a match
	// BucketCap is how many records of one list may share a key; a key that more share is
	// left out. 0 means no cap.
	BucketCap int
}

// Tally counts pairs.
type Tally struct {
	Pairs int // true pairs
	Met   int // true pairs that share a key
	Right int // true pairs that match
	Wrong int // other pairs that match
}

// CandidateRecall is the share of true pairs that share a key.
func (t Tally) CandidateRecall() float64 { return share(t.Met, t.Pairs) }

// Precision is the share of matches that are true pairs.
func (t Tally) Precision() float64 { return share(t.Right, t.Right+t.Wrong) }

// Recall is the share of true pairs that match.
func (t Tally) Recall() float64 { return share(t.Right, t.Pairs) }

// F1 is the harmonic mean of precision and recall.
func (t Tally) F1() float64 { return share(2*t.Right, t.Pairs+t.Right+t.Wrong) }

func share(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// CultureTally is the tally of records of A of one culture.
type CultureTally struct {
	Culture world.Culture
	Tally
}

// Result is what was counted.
type Result struct {
	Tally
	Records    int // of A
	Keys       int // of A, all records together
	Candidates int // pairs that share a key
	DecoyHits  int // planted decoys among the wrong matches
	Expected   float64
	Cultures   []CultureTally // by name
	Matches    []Match        // ascending
}

// Match is a pair of records that match.
type Match struct{ A, B int }

// Compare orders matches by the record of A, then of B.
func (m Match) Compare(o Match) int { return cmp.Or(m.A-o.A, m.B-o.B) }

// Worst returns the culture with the least F1.
func (r Result) Worst() CultureTally {
	return slices.MinFunc(r.Cultures, func(a, b CultureTally) int { return cmp.Compare(a.F1(), b.F1()) })
}

// WrongPerTenThousand is wrong matches per 10,000 records of A.
func (r Result) WrongPerTenThousand() float64 { return 1e4 * share(r.Wrong, r.Records) }

// Measure matches list A of the set against list B.
func Measure(set *world.Set, o Options) (Result, error) {
	m := matcher{options: o, set: set, partner: map[int]int{}, near: map[world.Pair]bool{}, culture: map[world.Culture]*Tally{}}
	var err error
	if m.a, err = newSide(set.A); err != nil {
		return Result{}, fmt.Errorf("list A: %w", err)
	}
	if m.b, err = newSide(set.B); err != nil {
		return Result{}, fmt.Errorf("list B: %w", err)
	}
	for _, p := range set.Pairs {
		m.partner[p.A] = p.B
	}
	for _, p := range set.Near {
		m.near[world.Pair{A: p.A, B: p.B}] = true
	}
	m.run()
	slices.SortFunc(m.result.Matches, Match.Compare)
	m.result.Records = len(set.A)
	m.result.Expected = person.ExpectWrongHits(m.a.profiles, len(set.B), o.Threshold).Hits
	for c, t := range m.culture {
		m.result.Cultures = append(m.result.Cultures, CultureTally{c, *t})
	}
	slices.SortFunc(m.result.Cultures, func(a, b CultureTally) int { return cmp.Compare(a.Culture, b.Culture) })
	return m.result, nil
}

// side is one list as matching sees it.
type side struct {
	profiles []person.Profile
	keys     [][][]byte
	buckets  map[string][]int32
}

func newSide(records []world.Record) (side, error) {
	s := side{buckets: map[string][]int32{}}
	for i, r := range records {
		p, _, err := person.Parse(person.Fields{Name: r.Name, Born: r.Born}, person.Defaults{})
		if err != nil {
			return side{}, fmt.Errorf("record %s: %w", r.ID, err)
		}
		profile := p.Profile()
		keys := profile.Keys()
		s.profiles, s.keys = append(s.profiles, profile), append(s.keys, keys)
		for _, k := range keys {
			s.buckets[string(k)] = append(s.buckets[string(k)], int32(i))
		}
	}
	return s, nil
}

type matcher struct {
	options Options
	set     *world.Set
	a, b    side
	partner map[int]int         // of a record of A, its person's record of B
	near    map[world.Pair]bool // planted decoys
	culture map[world.Culture]*Tally
	result  Result
}

func (m *matcher) run() {
	templates := make([]*person.Vector, len(m.b.profiles))
	for j, p := range m.b.profiles {
		templates[j] = p.Features(person.Template)
	}
	met := make([]int, len(templates)) // last record of A that each met, plus one
	for i, p := range m.a.profiles {
		probe := p.Features(person.Probe)
		m.result.Keys += len(m.a.keys[i])
		if _, ok := m.partner[i]; ok {
			m.count(i, func(t *Tally) { t.Pairs++ })
		}
		for _, k := range m.a.keys[i] {
			bucket := m.b.buckets[string(k)]
			if most := m.options.BucketCap; most > 0 && (len(bucket) > most || len(m.a.buckets[string(k)]) > most) {
				continue
			}
			for _, j := range bucket {
				if met[j] != i+1 {
					met[j] = i + 1
					m.candidate(i, int(j), person.Product(probe, templates[j]))
				}
			}
		}
	}
}

func (m *matcher) candidate(i, j, score int) {
	m.result.Candidates++
	of, paired := m.partner[i]
	same := paired && of == j
	if same {
		m.count(i, func(t *Tally) { t.Met++ })
	}
	if score >= m.options.Threshold {
		m.result.Matches = append(m.result.Matches, Match{i, j})
	}
	switch {
	case score < m.options.Threshold:
	case same:
		m.count(i, func(t *Tally) { t.Right++ })
	default:
		m.count(i, func(t *Tally) { t.Wrong++ })
		if m.near[world.Pair{A: i, B: j}] {
			m.result.DecoyHits++
		}
	}
}

func (m *matcher) count(i int, add func(*Tally)) {
	c := m.set.People[m.set.OfA[i]].Culture
	if m.culture[c] == nil {
		m.culture[c] = &Tally{}
	}
	add(m.culture[c])
	add(&m.result.Tally)
}
