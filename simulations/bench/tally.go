package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"strings"

	"entente/crypto/he/collective"
	"entente/crypto/he/sample"
	"entente/crypto/sign"
	"entente/protocol/checkpoint"
	"entente/protocol/tally"
	"entente/protocol/tally/machine"
	"entente/protocol/wire"
)

// tallyBench is a whole tally, all members and the collector in this process.
type tallyBench struct {
	m         *meter
	places    int
	proposal  tally.Proposal
	collector *machine.Collector
	sides     map[string]*tallySide
	counts    map[string]tally.Counts
	line      *wire.Conn // what all frames go over, in both directions
}

// tallyNow is when everything happens, in Unix milliseconds.
const tallyNow = int64(1_800_000_000_000)

// runTally counts corridors between so many places: every member contributes, some hold the
// key, as many as the ledger's quorum among them open the sum. Each cell is compared with the sum
// in the clear, to which the noise is added that members would open to an auditor.
func runTally(ctx context.Context, m *meter, p Params) error {
	b := &tallyBench{m: m, places: int(p["places"]), sides: map[string]*tallySide{}, counts: map[string]tally.Counts{}, line: wire.NewConn(&bytes.Buffer{})}
	proposal := tallyProposal(b.places, int(p["members"]), int(p["holders"]), uint32(p["epsilon"]))
	if err := m.prepare("invent", func() error { return b.invent(proposal) }); err != nil {
		return err
	}
	if err := b.talk(ctx); err != nil {
		return err
	}
	for _, name := range b.proposal.Contributors {
		messages, err := b.contribute(name)
		if err != nil {
			return err
		}
		if err := b.collect(name, messages); err != nil {
			return err
		}
	}
	err := b.spend("collect", func() error { return b.collector.Open(b.collector.Holding()[:b.proposal.Threshold]) })
	if err != nil {
		return err
	}
	if err := b.talk(ctx); err != nil {
		return err
	}
	wrong, err := b.wrong()
	if err != nil {
		return err
	}
	cells := b.places * b.places
	m.result.BytesPerItem = float64(b.line.Sent()) / float64(cells*len(b.proposal.Contributors))
	m.figure("wrong_cells", float64(wrong))
	m.figure("cells", float64(cells))
	m.figure("threshold", float64(b.proposal.Threshold))
	m.figure("total_bytes", float64(b.line.Sent()))
	return nil
}

// tallyProposal asks for corridors between so many places, with noise of which a majority of the
// members adds up to ε.
func tallyProposal(places, members, holders int, epsilonMilli uint32) tally.Proposal {
	minimum := max(tally.MinContributor, members/2+1)
	p := tally.Proposal{
		Version: tally.Version, Tally: make([]byte, tally.IDSize), Roster: make([]byte, 32), Collector: tallyCollector,
		Created: tallyNow, Deadline: tallyNow + 1, Purpose: "bench", Basis: "bench", Rules: make([]byte, 32),
		Question:  tally.Question{Kind: tally.Corridors, Dimensions: []tally.Dimension{{Name: "origin"}, {Name: "destination"}}},
		Threshold: uint8(checkpoint.Quorum(holders)), Minimum: uint8(minimum),
		Cap: 1, EpsilonMilli: epsilonMilli, NoiseOf: uint8(minimum - 1), Limit: tally.MinLimit,
	}
	for i := range p.Question.Dimensions {
		for n := range places {
			p.Question.Dimensions[i].Labels = append(p.Question.Dimensions[i].Labels, fmt.Sprint(n))
		}
	}
	for i := range members {
		p.Contributors = append(p.Contributors, tallyName(i))
	}
	for i := range holders {
		p.Holders = append(p.Holders, tallyName(i))
	}
	return p
}

// invent makes members and counts for a proposal, and proposes it. Each member has other counts
// in each cell, so that one that went astray is seen.
func (b *tallyBench) invent(p tally.Proposal) error {
	arithmetic, err := collective.New()
	if err != nil {
		return err
	}
	keys := map[string]*sign.PrivateKey{}
	public := func(name string) *sign.PublicKey {
		if k := keys[name]; k != nil {
			return k.Public()
		}
		return nil
	}
	for i := range max(len(p.Contributors), len(p.Holders)) {
		name := tallyName(i)
		if keys[name], err = sign.Generate(); err != nil {
			return err
		}
		identity := machine.Identity{Self: name, Key: keys[name], PublicKey: public}
		if b.sides[name], err = newTallySide(identity, arithmetic); err != nil {
			return err
		}
		if b.counts[name], err = tallyCounts(p, uint64(i)); err != nil {
			return err
		}
	}
	if keys[p.Collector], err = sign.Generate(); err != nil {
		return err
	}
	if _, err := rand.Read(p.Tally); err != nil {
		return err
	}
	b.proposal = p
	identity := machine.Identity{Self: p.Collector, Key: keys[p.Collector], PublicKey: public}
	c := machine.CollectorConfig{Identity: identity, Arithmetic: arithmetic, Store: tallyShelf{}}
	b.collector, err = machine.Propose(p, c, tallyNow)
	return err
}

// tallyCollector is the member that collects, which does not contribute.
const tallyCollector = "collector"

// tallyCounts invents a member's counts.
func tallyCounts(p tally.Proposal, member uint64) (tally.Counts, error) {
	random := mathrand.New(mathrand.NewPCG(member, 0))
	cells := make([]uint32, p.Question.Cells())
	for i := range cells {
		cells[i] = uint32(random.IntN(50))
	}
	return tally.ParseCounts(p, cells)
}

func tallyName(i int) string { return fmt.Sprintf("M%02d", i) }

// spend measures a phase, with its processor time as a figure of its own.
func (b *tallyBench) spend(phase string, f func() error) error {
	before := b.m.result.CPUSeconds
	err := b.m.measure(phase, f)
	b.m.result.Figures[strings.ReplaceAll(phase, " ", "_")+"_cpu_seconds"] += b.m.result.CPUSeconds - before
	return err
}

// frame writes a message as a frame and reads it again.
func (b *tallyBench) frame(m tally.Message) (out tally.Message, err error) {
	err = b.spend("frames", func() error {
		if err := tally.Write(b.line, m); err != nil {
			return err
		}
		out, err = tally.Read(b.line)
		return err
	})
	return out, err
}

// collect gives the collector what a member says.
func (b *tallyBench) collect(from string, messages []tally.Message) error {
	for _, m := range messages {
		in, err := b.frame(m)
		if err != nil {
			return err
		}
		if err := b.spend("collect", func() error { return b.collector.Step(from, in, tallyNow) }); err != nil {
			return fmt.Errorf("collect from %s: %w", from, err)
		}
	}
	return nil
}

// contribute encrypts a member's counts.
func (b *tallyBench) contribute(name string) (messages []tally.Message, err error) {
	err = b.spend("encrypt", func() error {
		messages, err = b.sides[name].member.Contribute(b.counts[name], tallyNow)
		return err
	})
	return messages, err
}

// talk gives each member what is pending for it, and the collector the answers, until nobody
// has anything to say.
func (b *tallyBench) talk(ctx context.Context) error {
	for said := true; said; {
		said = false
		for i := range max(len(b.proposal.Contributors), len(b.proposal.Holders)) {
			if err := ctx.Err(); err != nil {
				return err
			}
			name := tallyName(i)
			for m, err := range b.collector.Pending(name) {
				if err != nil {
					return err
				}
				said = said || m.Kind != tally.KindWanted // which has no answer yet
				if err := b.tell(name, m); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
		}
	}
	return nil
}

// tell gives a member a message.
func (b *tallyBench) tell(name string, m tally.Message) error {
	in, err := b.frame(m)
	if err != nil {
		return err
	}
	var replies []tally.Message
	err = b.spend(tallyPhase(m.Kind), func() error {
		replies, err = b.sides[name].step(in)
		return err
	})
	if err != nil {
		return err
	}
	return b.collect(name, replies)
}

// tallyPhase names what a member does with a message.
func tallyPhase(k wire.Kind) string {
	switch k {
	case tally.KindProposal:
		return "accept"
	case tally.KindKeyCall, tally.KindAcceptance:
		return "deal"
	case tally.KindPart, tally.KindPublic, tally.KindSealed:
		return "make key"
	case tally.KindRelease:
		return "take release"
	}
	return "open"
}

// wrong counts the cells of the release that are not the sums, with what is below the limit
// not shown.
func (b *tallyBench) wrong() (wrong int, err error) {
	release, ok := b.collector.Release()
	if !ok {
		return 0, fmt.Errorf("no release: the tally is %s", b.collector.Stage())
	}
	sums := make([]int32, b.places*b.places)
	for _, name := range b.proposal.Contributors {
		for i, n := range b.counts[name].Values() {
			sums[i] += int32(n)
		}
		noise, err := b.noise(name)
		if err != nil {
			return 0, err
		}
		for i, n := range noise {
			sums[i] += int32(n)
		}
	}
	want := tally.Suppress(sums, b.proposal.Limit)
	for i, n := range release.Cells {
		if n != want[i] {
			wrong++
		}
	}
	return wrong, nil
}

// noise draws a member's noise again from what it opens.
func (b *tallyBench) noise(name string) ([]int64, error) {
	o, err := b.sides[name].member.Opening()
	if err != nil {
		return nil, err
	}
	split, err := b.proposal.Noise()
	if err != nil {
		return nil, err
	}
	seed := tally.NoiseSeed(o.Seed, [32]byte(o.Key))
	return split.DrawFrom(sample.New(tally.NoiseStream, seed, 0), len(o.Counts))
}
