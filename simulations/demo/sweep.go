package demo

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"

	"entente/crypto/oprf"
	"entente/protocol/standing"
)

// recordedSweep is what entente-sim wrote. A node must not link attackers, and this package
// is linked by nodes, so the story quotes the attack's record instead of running it. A test
// beside the attack repeats it and compares.
//
//go:embed data/sweep.json
var recordedSweep []byte

// sweepCommand repeats what is recorded.
const sweepCommand = "entente-sim attack filter-sweep --guesses 100000 --held 1000 --quota 1024"

// sweepRecord is what the story quotes of the record.
type sweepRecord struct {
	Settings struct{ Guesses, Held, Quota int }
	Results  struct {
		Filter sweepOutcome
		Tags   struct {
			sweepOutcome
			Control struct{ Found int }
		}
		Questions struct {
			sweepOutcome
			Days []struct{ Day, Refused int }
		}
	}
	Measured struct {
		Machine string
		Filter  struct {
			Seconds float64 `json:"cpu_seconds"`
		}
	}
}

// sweepOutcome is what one publication gave up.
type sweepOutcome struct{ Guesses, Recovered, Charged, Ideal, Beyond, Refused int }

// guesses shows what guessing brings a partner: live what Indonesia's list looks like as
// tags, and from the record what a sweep of three publications gave up.
func (s *story) guesses(context.Context) error {
	s.screen.say("A standing round keeps two lists matched day by day. Indonesia then publishes tags of its list, once, and answers a " +
		"limited number of questions in each tag period. What if a partner guesses every number there is?")
	if err := s.tags(); err != nil {
		return fmt.Errorf("make tags: %w", err)
	}
	var r sweepRecord
	if err := json.Unmarshal(recordedSweep, &r); err != nil {
		return fmt.Errorf("read the record of the sweep: %w", err)
	}
	s.checkSweep(r)
	f, t, q := r.Results.Filter, r.Results.Tags, r.Results.Questions
	s.screen.say("The next figures are recorded, not made now: a program of its own holds the attack, so that no node does. An invented list "+
		"of %d numbers, published in three ways, is attacked with all %d numbers of its plan:", r.Settings.Held, r.Settings.Guesses)
	s.screen.table([]string{"PUBLISHED AS", "GUESSES", "LISTED NUMBERS FOUND", "IN THE HOLDER'S BOOKS"},
		[]string{"Bloom filter", fmt.Sprint(f.Guesses), fmt.Sprintf("%d of %d", f.Recovered, r.Settings.Held), "nothing"},
		[]string{"tags alone", fmt.Sprint(t.Guesses), few(t.Recovered), "nothing"},
		[]string{"counted questions", fmt.Sprint(q.Guesses), fmt.Sprint(q.Recovered), "full on day 1; refused"})
	s.screen.say("The filter took %.2f seconds to empty, unseen. So no filter leaves a node. The questions brought what chance gives for %d guesses, "+
		"and no more: a quota limits guessing. It does not prevent it.", r.Measured.Filter.Seconds, q.Guesses)
	s.screen.item("measured on", "%s; to repeat it:", r.Measured.Machine)
	s.screen.line("  %s", sweepCommand)
	return nil
}

// checkSweep compares the record with what the design claims.
func (s *story) checkSweep(r sweepRecord) {
	f, t, q := r.Results.Filter, r.Results.Tags, r.Results.Questions
	s.check("recorded: listed numbers that the filter gave up", r.Settings.Held, f.Recovered)
	s.check("recorded: places charged for that", 0, f.Charged)
	s.check("recorded: listed numbers that the tags gave up", 0, t.Recovered)
	s.check("recorded: listed numbers that the key finds in them", r.Settings.Held, t.Control.Found)
	s.check("recorded: places that the questions were charged", r.Settings.Quota, q.Charged)
	s.check("recorded: listed numbers that they gave up", q.Ideal, q.Recovered)
	s.check("recorded: and besides", 0, q.Beyond)
	s.check("recorded: refusals in the holder's books", len(q.Days), q.Refused)
	s.check("recorded: day of the first one", true, len(q.Days) > 0 && q.Days[0].Day == 1 && q.Days[0].Refused == 1)
}

// tags publishes Indonesia's phones as its node would, searches them as the line was
// searched, and tests them with Indonesia's key and with another one.
func (s *story) tags() error {
	all := sources()
	watch := all[slices.IndexFunc(all, func(f source) bool { return f.member == id && f.list == "watch" })]
	values, err := watch.values()
	if err != nil {
		return err
	}
	p, err := newPublication(values)
	if err != nil {
		return err
	}
	seen, err := s.search([][]byte{slices.Concat(p.list...)})
	if err != nil {
		return err
	}
	own, err := p.found(p.key)
	if err != nil {
		return err
	}
	foreign, err := newTagKey(p.agreement)
	if err != nil {
		return err
	}
	other, err := p.found(foreign)
	if err != nil {
		return err
	}
	s.check("listed values in the tags", 0, seen.listed)
	s.check("listed values that another key finds in the tags", 0, other)
	s.check("listed values that Indonesia's key finds in the tags", s.truth.lists[watch.name()], own)
	s.screen.item("Indonesia's tags", "%d of %d bytes: %d phones and padding", len(p.list), standing.TagSize, len(p.inputs))
	s.screen.item("found in them", "by the search of step 8: %s of the listed entries; with another key: %s; with Indonesia's, which never leaves "+
		"its node: all %d", few(seen.listed), few(other), own)
	return nil
}

// publication is a list as the tags of a standing round, without a partner.
type publication struct {
	agreement [32]byte
	key       *oprf.Key
	inputs    [][]byte // of the items
	list      [][]byte // tags, padding included, ascending
}

func newPublication(values []listed) (*publication, error) {
	p := &publication{}
	rand.Read(p.agreement[:])
	in := standing.NewInputs(p.agreement, 0, 1)
	for _, v := range values {
		input, err := in.Element(standing.Item{Kind: string(v.value.Kind()), Version: 1, Element: v.value.Element()})
		if err != nil {
			return nil, err
		}
		p.inputs = append(p.inputs, input)
	}
	var err error
	if p.key, err = newTagKey(p.agreement); err != nil {
		return nil, err
	}
	var seed [standing.SecretSize]byte
	rand.Read(seed[:])
	week := &standing.Session{Cadence: 24 * 3600, PeriodSeconds: 7 * 24 * 3600}
	all := slices.Clone(p.inputs)
	for i := len(all); i < week.PublicationClass(len(p.inputs)); i++ {
		all = append(all, in.Padding(seed[:], uint32(i)))
	}
	p.list, err = tagsOf(p.key, all)
	slices.SortFunc(p.list, slices.Compare)
	return p, err
}

// newTagKey draws the key of a tag period.
func newTagKey(agreement [32]byte) (*oprf.Key, error) {
	var secret, nonce [standing.SecretSize]byte
	rand.Read(secret[:])
	rand.Read(nonce[:])
	return standing.HolderKey(secret[:], agreement, 0, 1, nonce)
}

func tagsOf(key *oprf.Key, inputs [][]byte) ([][]byte, error) {
	outputs, err := key.Outputs(inputs)
	tags := make([][]byte, len(outputs))
	for i, output := range outputs {
		tag := standing.EntryOf(output).Tag
		tags[i] = tag[:]
	}
	return tags, err
}

// found counts the items whose tag under a key is published.
func (p *publication) found(key *oprf.Key) (int, error) {
	tags, err := tagsOf(key, p.inputs)
	n := 0
	for _, tag := range tags {
		if _, ok := slices.BinarySearchFunc(p.list, tag, slices.Compare); ok {
			n++
		}
	}
	return n, err
}
