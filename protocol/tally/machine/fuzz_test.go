package machine

import (
	"bytes"
	"errors"
	"testing"

	"entente/protocol/tally"
	"entente/protocol/wire"
)

// FuzzSteps feeds hostile frames to a member and to a collector at each stage: nothing panics,
// and what is refused changes nothing.
func FuzzSteps(f *testing.F) {
	type pair struct {
		member, collector []byte
		rig               *rig
	}
	var pairs []pair
	r := newRig(f, proposal(corridors(2), 3, 3, 3))
	r.random(10, 50)
	keep := func() {
		p := pair{rig: r}
		var err error
		if p.collector, err = r.collector.Record(); err != nil {
			f.Fatal(err)
		}
		if p.member, err = r.members[name(1)].Record(); err != nil {
			f.Fatal(err)
		}
		pairs = append(pairs, p)
		for m := range r.collector.Pending(name(1)) {
			if s, ok := m.Body.(tally.Signed); ok {
				b, err := wire.Marshal(s)
				if err != nil {
					f.Fatal(err)
				}
				f.Add(uint8(m.Kind), b, uint8(len(pairs)-1))
			}
		}
		for kind, body := range map[wire.Kind]any{tally.KindReady: tally.Ready{Key: make([]byte, 32)}, tally.KindWanted: tally.Wanted{Key: make([]byte, 32)}, tally.KindReleased: tally.Released{Release: make([]byte, 32)}} {
			b, err := wire.Marshal(body)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(kind), b, uint8(len(pairs)-1))
		}
	}
	r.until(f, Dealing)
	keep()
	r.until(f, Contributing)
	keep()
	r.until(f, Done)
	keep()
	r.contribute(f, r.names...)
	if err := r.collector.Open(r.names); err != nil {
		f.Fatal(err)
	}
	keep()
	r.until(f, Done)
	keep()
	f.Add(uint8(tally.KindSealed), []byte{0, 1, 2, 3}, uint8(1))
	f.Fuzz(func(t *testing.T, kind uint8, body []byte, stage uint8) {
		in, err := tally.Parse(wire.Kind(kind), body)
		if err != nil {
			return
		}
		p := pairs[int(stage)%len(pairs)]
		m, err := LoadMember(p.member, p.rig.configs[name(1)])
		if err != nil {
			t.Fatal(err)
		}
		k, err := LoadCollector(p.collector, p.rig.collectorConfig())
		if err != nil {
			t.Fatal(err)
		}
		k.Store = shelf{}
		var broke *wire.ProtocolError
		if in.Kind == tally.KindAcceptance { // which follows the call
			_, _ = m.Step(tally.Message{Kind: tally.KindKeyCall, Body: k.rec.KeyCall}, p.rig.now)
		}
		if _, err := m.Step(in, p.rig.now); err != nil {
			after, failed := m.Record()
			if failed != nil || !bytes.Equal(after, p.member) {
				t.Fatal("a refused message changed the member")
			}
			if !errors.As(err, &broke) {
				t.Fatal(err)
			}
		}
		if err := k.Step(name(1), in, p.rig.now); err != nil {
			after, failed := k.Record()
			if failed != nil || !bytes.Equal(after, p.collector) {
				t.Fatal("a refused message changed the collector")
			}
			if !errors.As(err, &broke) && !errors.Is(err, errEmpty) {
				t.Fatal(err)
			}
		}
	})
}

// FuzzRecords loads what is no record: an error or a side, no panic.
func FuzzRecords(f *testing.F) {
	r := newRig(f, proposal(corridors(2), 3, 3, 3))
	r.random(11, 50)
	r.until(f, Dealing)
	for _, record := range []func() ([]byte, error){r.collector.Record, r.members[name(1)].Record} {
		b, err := record()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := LoadMember(b, r.configs[name(1)]); err == nil {
			for kind := tally.KindProposal; kind <= tally.KindRelease; kind++ {
				_, _ = m.Step(tally.Message{Kind: kind, Body: tally.Signed{}}, r.now)
				_, _ = m.Step(tally.Message{Kind: kind, Body: tally.Chunk{}}, r.now)
			}
		}
		if k, err := LoadCollector(b, r.collectorConfig()); err == nil {
			for n := range k.Pending(name(1)) {
				_ = k.Step(name(1), n, r.now)
			}
			_ = errors.Join(k.Close(), k.Open(r.names), k.Audit())
		}
	})
}

// FuzzOpening checks openings, and what they are checked against, with bytes from a hostile
// contributor: no panic, and only what was signed passes.
func FuzzOpening(f *testing.F) {
	p := proposal(corridors(2), 3, 3, 3)
	p.EpsilonMilli, p.NoiseOf = 1000, 2
	r := newRig(f, p)
	r.random(16, 50)
	r.run(f)
	s, err := r.collector.Sent(name(1))
	if err != nil {
		f.Fatal(err)
	}
	o, err := r.members[name(1)].Opening()
	if err != nil {
		f.Fatal(err)
	}
	good, err := wire.Marshal(o)
	if err != nil {
		f.Fatal(err)
	}
	parts := func(s *Sent, release *tally.Signed) []*tally.Signed {
		return []*tally.Signed{&s.Proposal, &s.KeyCall, &s.Acceptance, &s.Contribution, release}
	}
	release := r.collector.rec.Release
	for i, part := range parts(&s, &release) {
		f.Add(good, uint8(i), part.Body)
	}
	f.Add(good, uint8(5), s.Key)
	f.Fuzz(func(t *testing.T, opening []byte, part uint8, body []byte) {
		var claim tally.Opening
		if tally.Decode(opening, &claim) != nil {
			return
		}
		forged, shown := s, release
		var same bool
		if all := parts(&forged, &shown); int(part) < len(all) {
			same = bytes.Equal(all[part].Body, body)
			all[part].Body = body
		} else {
			same = bytes.Equal(forged.Key, body)
			forged.Key = body
		}
		err := CheckOpening(arithmetic(t), r.collector.PublicKey, shown, forged, claim)
		if honest := same && bytes.Equal(opening, good); (err == nil) != honest {
			t.Fatalf("part %d: %v", part, err)
		}
	})
}
