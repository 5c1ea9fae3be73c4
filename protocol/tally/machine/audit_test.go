package machine

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"entente/crypto/sign"
	"entente/protocol/tally"
	"entente/protocol/wire"
)

// noisy is a tally of three with noise, which was released.
func noisy(t *testing.T, q tally.Question) *rig {
	t.Helper()
	p := proposal(q, 3, 3, 3)
	p.EpsilonMilli, p.NoiseOf = 1000, 2
	r := newRig(t, p)
	r.random(5, 1000)
	r.run(t)
	return r
}

// opened is what a member shows to its auditor, and what the collector has of it.
func opened(t *testing.T, r *rig, member string) (Sent, tally.Opening) {
	t.Helper()
	o, err := r.members[member].Opening()
	if err != nil {
		t.Fatal(err)
	}
	own, err := r.members[member].Sent()
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.collector.Sent(member)
	if err != nil {
		t.Fatal(err)
	}
	for what, pair := range map[string][2][]byte{
		"proposal": {own.Proposal.Body, s.Proposal.Body}, "key call": {own.KeyCall.Body, s.KeyCall.Body}, "acceptance": {own.Acceptance.Body, s.Acceptance.Body},
		"contribution": {own.Contribution.Body, s.Contribution.Body}, "key": {own.Key, s.Key},
	} {
		if !bytes.Equal(pair[0], pair[1]) {
			t.Errorf("the collector has another %s", what)
		}
	}
	return s, o
}

func (r *rig) public(member string) *sign.PublicKey { return r.configs[collecting].PublicKey(member) }

// TestOpening recomputes a contribution of two blocks, noise included, from what is opened, and
// refuses what is not just that.
func TestOpening(t *testing.T) {
	if _, err := (&Member{}).Opening(); !errors.Is(err, ErrState) {
		t.Errorf("nothing is opened: %v", err)
	}
	if _, err := (&Member{}).Sent(); !errors.Is(err, ErrState) {
		t.Errorf("nothing is shown: %v", err)
	}
	r := noisy(t, corridors(160)) // 25,600 cells
	if _, err := r.collector.Sent(collecting); !errors.Is(err, ErrState) {
		t.Errorf("who contributed nothing is shown: %v", err)
	}
	s, good := opened(t, r, name(2))
	check := func(o tally.Opening) error {
		return CheckOpening(arithmetic(t), r.public, r.collector.rec.Release, s, o)
	}
	if err := check(good); err != nil {
		t.Error(err)
	}
	for what, change := range map[string]func(*tally.Opening){
		"another count":    func(o *tally.Opening) { o.Counts = slices.Clone(o.Counts); o.Counts[25_000]++ },
		"another seed":     func(o *tally.Opening) { o.Seed = bytes.Clone(o.Seed); o.Seed[31] ^= 1 },
		"another member":   func(o *tally.Opening) { o.Place = 1 },
		"a stranger":       func(o *tally.Opening) { o.Place = 3 },
		"another tally":    func(o *tally.Opening) { o.Proposal = make([]byte, 32) },
		"another key":      func(o *tally.Opening) { o.Key = make([]byte, 32) },
		"a short seed":     func(o *tally.Opening) { o.Seed = o.Seed[1:] },
		"a cell less":      func(o *tally.Opening) { o.Counts = o.Counts[1:] },
		"a count too high": func(o *tally.Opening) { o.Counts = slices.Clone(o.Counts); o.Counts[0] = tally.MaxCount + 1 },
	} {
		o := good
		change(&o)
		if err := check(o); !errors.Is(err, ErrAudit) && !errors.Is(err, tally.ErrCount) {
			t.Errorf("%s passes: %v", what, err)
		}
	}
}

// TestWhatWasSentIsChecked opens a true contribution against what was not signed, or not by whom
// it should have been.
func TestWhatWasSentIsChecked(t *testing.T) {
	r := noisy(t, corridors(3))
	me, collector := r.configs[name(1)].Key, r.configs[collecting].Key
	good, o := opened(t, r, name(1))
	for what, change := range map[string]func(*Sent){
		"other masks": func(s *Sent) {
			s.Contribution = signed(t, me, tally.DomainContribution, s.Contribution, func(c *tally.Contribution) { c.Masks[0] ^= 1 })
		},
		"other bodies": func(s *Sent) {
			s.Contribution = signed(t, me, tally.DomainContribution, s.Contribution, func(c *tally.Contribution) { c.Bodies[0] ^= 1 })
		},
		"a contribution by another": func(s *Sent) {
			s.Contribution = signed(t, collector, tally.DomainContribution, s.Contribution, func(*tally.Contribution) {})
		},
		"another key":           func(s *Sent) { s.Key = make([]byte, len(s.Key)) },
		"a short key":           func(s *Sent) { s.Key = s.Key[1:] },
		"a proposal by another": func(s *Sent) { s.Proposal = signed(t, me, tally.DomainProposal, s.Proposal, func(*tally.Proposal) {}) },
		"a proposal with less noise": func(s *Sent) {
			s.Proposal = signed(t, collector, tally.DomainProposal, s.Proposal, func(p *tally.Proposal) { p.EpsilonMilli = 2000 })
		},
		"a call by another": func(s *Sent) { s.KeyCall = signed(t, me, tally.DomainKeyCall, s.KeyCall, func(*tally.KeyCall) {}) },
		"no call":           func(s *Sent) { s.KeyCall = tally.Signed{} },
		"no proposal":       func(s *Sent) { s.Proposal = tally.Signed{} },
		"another acceptance": func(s *Sent) {
			s.Acceptance = signed(t, me, tally.DomainAcceptance, s.Acceptance, func(a *tally.Acceptance) { a.Basis = "none" })
		},
		"another's acceptance": func(s *Sent) { s.Acceptance = r.members[name(2)].rec.Acceptance },
	} {
		s := good
		change(&s)
		var broke *wire.ProtocolError
		if err := CheckOpening(arithmetic(t), r.public, r.collector.rec.Release, s, o); !errors.Is(err, ErrAudit) && !errors.As(err, &broke) {
			t.Errorf("%s passes: %v", what, err)
		}
	}
}

// contributed signs a contribution as its member would, of whatever values and seed.
func contributed(t *testing.T, r *rig, member string, seed []byte, values []int32) tally.Signed {
	t.Helper()
	m := r.members[member]
	key := m.key.Digest()
	place, _ := r.proposal.Contributor(member)
	v, err := m.key.Encrypt([32]byte(seed), values)
	if err != nil {
		t.Fatal(err)
	}
	masks, bodies := digest(tally.MasksDigest(key, member), v.Masks), digest(tally.BodiesDigest(key, member), v.Bodies)
	s, err := tally.Sign(r.configs[member].Key, tally.DomainContribution, tally.Contribution{Key: key[:], Place: place, Masks: masks[:], Bodies: bodies[:]})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestAlteredNoise: a contributor that left out its noise, changed it in one cell, or took that
// of another seed cannot open what it signed.
func TestAlteredNoise(t *testing.T) {
	r := noisy(t, corridors(12))
	me := name(1)
	s, o := opened(t, r, me)
	key := r.members[me].key.Digest()
	noise, err := drawNoise(r.proposal, o.Seed, key)
	if err != nil {
		t.Fatal(err)
	}
	values := func(noise []int64) []int32 {
		out := make([]int32, len(o.Counts))
		for i, n := range o.Counts {
			out[i] = int32(n) + int32(noise[i])
		}
		return out
	}
	one := slices.Clone(noise)
	one[77]++
	other := bytes.Repeat([]byte{9}, 32)
	elsewhere, err := drawNoise(r.proposal, other, key)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Equal(noise, elsewhere) || slices.Equal(noise, make([]int64, len(noise))) {
		t.Fatal("the noise is nothing")
	}
	for what, c := range map[string]struct {
		seed   []byte
		noise  []int64
		opens  bool
		claims []byte
	}{
		"as it should be":                {o.Seed, noise, true, o.Seed},
		"no noise":                       {o.Seed, make([]int64, len(noise)), false, o.Seed},
		"one cell":                       {o.Seed, one, false, o.Seed},
		"another seed's":                 {o.Seed, elsewhere, false, o.Seed},
		"another seed's, opened as such": {other, elsewhere, false, other}, // it is not what was committed to
	} {
		forged := s
		forged.Contribution = contributed(t, r, me, c.seed, values(c.noise))
		claim := o
		claim.Seed = c.claims
		if err := CheckOpening(arithmetic(t), r.public, r.collector.rec.Release, forged, claim); (err == nil) != c.opens || err != nil && !errors.Is(err, ErrAudit) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestChosenSeed: a contributor that knows the key looks for a seed whose noise it likes, and
// signs an acceptance that commits to it, with the collector's help. The key call that the
// dealers signed for names the first acceptance.
func TestChosenSeed(t *testing.T) {
	r := noisy(t, corridors(3))
	me := name(1)
	s, o := opened(t, r, me)
	key := r.members[me].key.Digest()
	var seed []byte
	for i := byte(0); seed == nil; i++ {
		try := bytes.Repeat([]byte{i}, 32)
		noise, err := drawNoise(r.proposal, try, key)
		if err != nil {
			t.Fatal(err)
		}
		if noise[4] == 0 {
			seed = try
		}
	}
	noise, err := drawNoise(r.proposal, seed, key)
	if err != nil {
		t.Fatal(err)
	}
	values := make([]int32, len(noise))
	for i := range values {
		values[i] = int32(o.Counts[i]) + int32(noise[i])
	}
	s.Contribution = contributed(t, r, me, seed, values)
	s.Acceptance = signed(t, r.configs[me].Key, tally.DomainAcceptance, s.Acceptance, func(a *tally.Acceptance) {
		c := tally.SeedCommitment(r.members[me].digest, me, seed)
		a.Seed = c[:]
	})
	o.Seed = seed
	if err := CheckOpening(arithmetic(t), r.public, r.collector.rec.Release, s, o); !errors.Is(err, ErrAudit) {
		t.Errorf("a seed that was chosen passes: %v", err)
	}
	// A call that names the new acceptance is another one: not the one in the release, and a
	// release with that call is one that no member takes.
	s.KeyCall = signed(t, r.configs[collecting].Key, tally.DomainKeyCall, s.KeyCall, func(c *tally.KeyCall) {
		d := tally.Digest(s.Acceptance, tally.DomainAcceptance)
		c.Contributors[1].Digest = d[:]
	})
	if err := CheckOpening(arithmetic(t), r.public, r.collector.rec.Release, s, o); !errors.Is(err, ErrAudit) {
		t.Errorf("a call that nobody answered passes: %v", err)
	}
	release := signed(t, r.configs[collecting].Key, tally.DomainRelease, r.collector.rec.Release, func(q *tally.Release) {
		d := tally.Digest(s.KeyCall, tally.DomainKeyCall)
		q.Call = d[:]
	})
	m := fresh(t, r, name(2))
	m.rec.Release = tally.Signed{}
	_, err = feed(m, r.now, tally.Message{Kind: tally.KindRelease, Body: release})
	wantCode(t, "a release of another call", err, wire.Altered)
}

// TestReleaseIsChecked opens a true contribution against a release that is not of its sum.
func TestReleaseIsChecked(t *testing.T) {
	r := noisy(t, corridors(3))
	s, o := opened(t, r, name(1))
	good := r.collector.rec.Release
	for what, release := range map[string]tally.Signed{
		"none":              {},
		"by another":        signed(t, r.configs[name(1)].Key, tally.DomainRelease, good, func(*tally.Release) {}),
		"of another tally":  signed(t, r.configs[collecting].Key, tally.DomainRelease, good, func(q *tally.Release) { q.Proposal[0] ^= 1 }),
		"of another call":   signed(t, r.configs[collecting].Key, tally.DomainRelease, good, func(q *tally.Release) { q.Call[0] ^= 1 }),
		"under another key": signed(t, r.configs[collecting].Key, tally.DomainRelease, good, func(q *tally.Release) { q.Key[0] ^= 1 }),
		"with less noise":   signed(t, r.configs[collecting].Key, tally.DomainRelease, good, func(q *tally.Release) { q.EpsilonMilli++ }),
	} {
		var broke *wire.ProtocolError
		if err := CheckOpening(arithmetic(t), r.public, release, s, o); !errors.Is(err, ErrAudit) && !errors.As(err, &broke) {
			t.Errorf("%s passes: %v", what, err)
		}
	}
}

// TestOpeningOfWhoIsNotInTheSum: a contribution that came, and that a release does not name.
func TestOpeningOfWhoIsNotInTheSum(t *testing.T) {
	p := proposal(corridors(3), 4, 3, 3)
	r := newRig(t, p)
	r.random(5, 100)
	release := r.run(t)
	s, o := opened(t, r, name(3))
	without := signed(t, r.configs[collecting].Key, tally.DomainRelease, r.collector.rec.Release, func(q *tally.Release) { q.Included = release.Included[:3] })
	if err := CheckOpening(arithmetic(t), r.public, without, s, o); !errors.Is(err, ErrAudit) {
		t.Errorf("it passes: %v", err)
	}
	if err := CheckOpening(arithmetic(t), r.public, r.collector.rec.Release, s, o); err != nil {
		t.Error(err)
	}
}

// TestAuditOfTheCollectorsMessages: a record whose messages are not signed, or do not name each
// other, is no record of the tally.
func TestAuditOfTheCollectorsMessages(t *testing.T) {
	r := noisy(t, corridors(3))
	by := r.configs[collecting].Key
	other := r.configs[name(1)].Key
	for what, change := range map[string]func(*collectorRecord){
		"a proposal by another": func(c *collectorRecord) {
			c.Proposal = signed(t, other, tally.DomainProposal, c.Proposal, func(*tally.Proposal) {})
		},
		"a key call by another": func(c *collectorRecord) {
			c.KeyCall = signed(t, other, tally.DomainKeyCall, c.KeyCall, func(*tally.KeyCall) {})
		},
		"a request by another": func(c *collectorRecord) {
			c.Request = signed(t, other, tally.DomainRequest, c.Request, func(*tally.Request) {})
		},
		"a release by another": func(c *collectorRecord) {
			c.Release = signed(t, other, tally.DomainRelease, c.Release, func(*tally.Release) {})
		},
		"a request under another key": func(c *collectorRecord) {
			c.Request = signed(t, by, tally.DomainRequest, c.Request, func(q *tally.Request) { q.Key[0] ^= 1 })
		},
		"a release of another call": func(c *collectorRecord) {
			c.Release = signed(t, by, tally.DomainRelease, c.Release, func(q *tally.Release) { q.Call[0] ^= 1 })
		},
		"a release under another key": func(c *collectorRecord) {
			c.Release = signed(t, by, tally.DomainRelease, c.Release, func(q *tally.Release) { q.Key[0] ^= 1 })
		},
		"a release of another sum": func(c *collectorRecord) {
			c.Release = signed(t, by, tally.DomainRelease, c.Release, func(q *tally.Release) { q.Request[0] ^= 1 })
		},
		"another acceptance called": func(c *collectorRecord) {
			c.KeyCall = signed(t, by, tally.DomainKeyCall, c.KeyCall, func(q *tally.KeyCall) { q.Contributors[0].Digest[0] ^= 1 })
		},
	} {
		k := copied(t, r)
		change(&k.rec)
		b, err := k.Record()
		if err != nil {
			t.Fatal(err)
		}
		if k, err = LoadCollector(b, k.CollectorConfig); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		var broke *wire.ProtocolError
		if err := k.Audit(); !errors.Is(err, ErrAudit) && !errors.As(err, &broke) {
			t.Errorf("%s passes: %v", what, err)
		}
	}
	if err := copied(t, r).Audit(); err != nil {
		t.Error(err)
	}
}
