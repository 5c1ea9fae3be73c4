package machine

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"testing"

	"entente/crypto/he/collective"
	"entente/crypto/sign"
	"entente/protocol/tally"
	"entente/protocol/wire"
)

const testNow = int64(1_800_000_000_000)

// shared are the parameters of all tests: their tables take a while.
var shared = sync.OnceValues(collective.New)

func arithmetic(t testing.TB) *collective.Parameters {
	t.Helper()
	p, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// shelf is a store in memory.
type shelf map[string][]byte

var errEmpty = errors.New("nothing under this name")

func (s shelf) Put(name string, b []byte) error {
	s[name] = bytes.Clone(b)
	return nil
}

func (s shelf) Get(name string) ([]byte, error) {
	b, ok := s[name]
	if !ok {
		return nil, fmt.Errorf("%w: %s", errEmpty, name)
	}
	return bytes.Clone(b), nil
}

// memory is a journal as a store would keep it.
type memory struct {
	life    collective.Life
	entries map[[32]byte]collective.Entry
}

func (m *memory) Life() (collective.Life, error) { return m.life, nil }

func (m *memory) Record(e collective.Entry) (collective.Entry, error) {
	old, ok := m.entries[e.Key]
	if !ok || old.Request == e.Request && old.Attempt == e.Attempt && old.Share == nil {
		m.entries[e.Key] = e
	}
	return m.entries[e.Key], nil
}

// rig is a tally with all its members in one process.
type rig struct {
	proposal  tally.Proposal
	configs   map[string]MemberConfig
	journals  map[string]*memory
	collector *Collector
	store     shelf
	members   map[string]*Member
	counts    map[string][]uint32
	names     []string // of all members but the collector
	now       int64
	reload    bool // every side is loaded anew after each message
}

// collecting is the member that collects.
const collecting = "IOM"

func name(i int) string { return fmt.Sprintf("M%02d", i) }

func key(t testing.TB, i int) *sign.PrivateKey {
	t.Helper()
	seed := bytes.Repeat([]byte{byte(i)}, sign.SeedSize)
	k, err := sign.NewPrivateKey(seed)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// labels are distinct texts.
func labels(prefix string, n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("%s%d", prefix, i))
	}
	return out
}

// corridors is a question of origins and destinations.
func corridors(n int) tally.Question {
	return tally.Question{Kind: tally.Corridors, Dimensions: []tally.Dimension{
		{Name: "origin", Labels: labels("o", n)}, {Name: "destination", Labels: labels("d", n)},
	}}
}

// proposal is one that anybody may accept: all contribute, and the first hold the key.
func proposal(q tally.Question, members, holders, threshold int) tally.Proposal {
	p := tally.Proposal{
		Version: tally.Version, Tally: bytes.Repeat([]byte{3}, tally.IDSize), Roster: make([]byte, 32), Collector: collecting,
		Created: testNow, Deadline: testNow + 86_400_000, Purpose: "trafficking", Basis: "law", Rules: make([]byte, 32),
		Question: q, Threshold: uint8(threshold), Minimum: tally.MinContributor, Cap: 2, Limit: tally.MinLimit,
	}
	for i := range members {
		p.Contributors = append(p.Contributors, name(i))
	}
	p.Holders = slices.Clone(p.Contributors[:holders])
	return p
}

// newRig makes members for a proposal.
func newRig(t testing.TB, p tally.Proposal) *rig {
	t.Helper()
	r := &rig{
		proposal: p, configs: map[string]MemberConfig{}, journals: map[string]*memory{}, store: shelf{},
		members: map[string]*Member{}, counts: map[string][]uint32{}, now: testNow + 1000,
	}
	r.names = slices.Concat(p.Contributors, p.Holders)
	slices.Sort(r.names)
	r.names = slices.Compact(r.names)
	keys := map[string]*sign.PrivateKey{}
	public := func(member string) *sign.PublicKey {
		if k, ok := keys[member]; ok {
			return k.Public()
		}
		return nil
	}
	for i, n := range append(slices.Clone(r.names), p.Collector) {
		keys[n] = key(t, i+1)
		r.journals[n] = &memory{life: collective.Life{byte(i)}, entries: map[[32]byte]collective.Entry{}}
		r.configs[n] = MemberConfig{
			Identity:   Identity{Self: n, Key: keys[n], PublicKey: public},
			Arithmetic: arithmetic(t), Journal: r.journals[n], Random: rand.Reader,
		}
	}
	var err error
	if r.collector, err = Propose(p, r.collectorConfig(), r.now); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) collectorConfig() CollectorConfig {
	c := r.configs[r.proposal.Collector]
	return CollectorConfig{Identity: c.Identity, Arithmetic: c.Arithmetic, Store: r.store}
}

// source is a reproducible source for what a test invents.
func source(n uint64) *mathrand.Rand { return mathrand.New(mathrand.NewPCG(n, 1)) }

// random invents counts.
func (r *rig) random(seed uint64, most int) {
	for i, n := range r.proposal.Contributors {
		numbers := source(seed<<8 + uint64(i))
		counts := make([]uint32, r.proposal.Question.Cells())
		for c := range counts {
			counts[c] = uint32(numbers.IntN(most + 1))
		}
		r.counts[n] = counts
	}
}

// table are a member's counts.
func (r *rig) table(t testing.TB, member string) tally.Counts {
	t.Helper()
	return table(t, r.proposal, r.counts[member])
}

func table(t testing.TB, p tally.Proposal, cells []uint32) tally.Counts {
	t.Helper()
	c, err := tally.ParseCounts(p, cells)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// clear are the sums of the counts of some members.
func (r *rig) clear(members ...string) []int32 {
	out := make([]int32, r.proposal.Question.Cells())
	for _, n := range members {
		for i, c := range r.counts[n] {
			out[i] += int32(c)
		}
	}
	return out
}

// through encodes and decodes a message as the wire does.
func through(t testing.TB, m tally.Message) tally.Message {
	t.Helper()
	var b []byte
	if c, ok := m.Body.(tally.Chunk); ok {
		b = append([]byte{c.Of, c.Part}, c.Data...)
	} else {
		var err error
		if b, err = wire.Marshal(m.Body); err != nil {
			t.Fatal(err)
		}
	}
	if most, ok := tally.Limit(m.Kind); !ok || len(b) > int(most) {
		t.Fatalf("a message of kind %d has %d bytes", m.Kind, len(b))
	}
	out, err := tally.Parse(m.Kind, b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// again stores and loads both sides, as after a crash.
func (r *rig) again(t testing.TB, member string) {
	t.Helper()
	if !r.reload {
		return
	}
	b, err := r.collector.Record()
	if err != nil {
		t.Fatal(err)
	}
	if r.collector, err = LoadCollector(b, r.collectorConfig()); err != nil {
		t.Fatal(err)
	}
	if m := r.members[member]; m != nil {
		if b, err = m.Record(); err != nil {
			t.Fatal(err)
		}
		if r.members[member], err = LoadMember(b, r.configs[member]); err != nil {
			t.Fatal(err)
		}
	}
}

// talk gives a member all that it needs and the collector what it answers, and reports whether
// anything was said.
func (r *rig) talk(t testing.TB, member string) bool {
	t.Helper()
	said := false
	for m, err := range r.collector.Pending(member) {
		if err != nil {
			t.Fatal(err)
		}
		said = said || m.Kind != tally.KindWanted
		for _, reply := range r.tell(t, member, through(t, m)) {
			if err := r.collector.Step(member, through(t, reply), r.now); err != nil {
				t.Fatalf("%s: collector: %v", member, err)
			}
		}
	}
	r.again(t, member)
	return said
}

// tell gives a member one message. To a proposal it agrees.
func (r *rig) tell(t testing.TB, member string, m tally.Message) []tally.Message {
	t.Helper()
	if r.members[member] == nil {
		var reply tally.Message
		var err error
		r.members[member], reply, err = Accept(m.Body.(tally.Signed), Terms{Basis: "law"}, r.configs[member], r.now)
		if err != nil {
			t.Fatalf("%s: %v", member, err)
		}
		return []tally.Message{reply}
	}
	replies, err := r.members[member].Step(m, r.now)
	if err != nil {
		t.Fatalf("%s: message %d: %v", member, m.Kind, err)
	}
	return replies
}

// until talks with all members until nothing more is said, or the stage is reached.
func (r *rig) until(t testing.TB, s Stage) {
	t.Helper()
	for range 10 {
		said := false
		for _, n := range r.names {
			if r.collector.Stage() >= s {
				return
			}
			said = r.talk(t, n) || said
		}
		if !said {
			return
		}
	}
	t.Fatalf("the talk does not end at stage %s", r.collector.Stage())
}

// contribute has members contribute their counts.
func (r *rig) contribute(t testing.TB, members ...string) {
	t.Helper()
	for _, n := range members {
		sent, err := r.members[n].Contribute(r.table(t, n), r.now)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range sent {
			if err := r.collector.Step(n, through(t, m), r.now); err != nil {
				t.Fatal(err)
			}
		}
		r.again(t, n)
	}
}

// run goes through a whole tally, with the first holders opening it, and returns what is shown.
func (r *rig) run(t testing.TB) tally.Release {
	t.Helper()
	r.until(t, Contributing)
	r.until(t, Done) // all get the key
	r.contribute(t, r.proposal.Contributors...)
	if err := r.collector.Open(r.collector.Holding()[:r.proposal.Threshold]); err != nil {
		t.Fatal(err)
	}
	r.until(t, Done)
	r.until(t, Failed) // all get the release
	release, ok := r.collector.Release()
	if !ok {
		t.Fatalf("there is no release at stage %s", r.collector.Stage())
	}
	return release
}

func wantCode(t *testing.T, what string, err error, want wire.Code) {
	t.Helper()
	var broke *wire.ProtocolError
	if !errors.As(err, &broke) || broke.Code != want {
		t.Errorf("%s: error is %v, want code %d (%s)", what, err, want, want)
	}
}
