package collective

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/tuneinsight/lattigo/v5/ring"

	"entente/crypto/he/sample"
	"entente/crypto/transcript"
)

// Labels of digests.
const (
	holderLabel  = "entente/collective/holder/1"  // a holder's place in a reference, for its journal
	requestLabel = "entente/collective/request/1" // a sum and an active set
	hedgeLabel   = "entente/collective/hedge/1"   // the seed of a share's flooding
)

// Holder has a holder's share of a key. It prints nothing of itself. For one goroutine.
type Holder struct{ *holder }

type holder struct {
	params *Parameters
	group  Group
	own    uint8
	life   Life
	share  ring.Poly // of the key, not transformed; empty once it was used
	part   ring.Poly
}

// NewHolder begins a holder's share of a key, to which each dealer's is added. life is the
// life of its journal, and must have been read before the holder's own dealing was made.
// ErrGroup is the only error.
func (p *Parameters) NewHolder(g Group, own uint8, life Life) (Holder, error) {
	if err := g.Check(); err != nil {
		return Holder{}, fmt.Errorf("begin key share: %w", err)
	}
	if g.ShareSize(own) == 0 {
		return Holder{}, fmt.Errorf("begin key share: %w: point %d is not of the group", ErrGroup, own)
	}
	group := Group{Points: slices.Clone(g.Points), Threshold: g.Threshold}
	return Holder{&holder{params: p, group: group, own: own, life: life, share: p.ring.NewPoly(), part: p.ring.NewPoly()}}, nil
}

// Add takes what a dealer dealt to this holder, or changes nothing and reports ErrMalformed.
func (h Holder) Add(dealt []byte) error {
	if h.spent() {
		return fmt.Errorf("add dealt share: %w: the key was used", ErrOrder)
	}
	if len(dealt) != h.group.ShareSize(h.own) {
		return fmt.Errorf("add dealt share: %w: %d bytes, not %d", ErrMalformed, len(dealt), h.group.ShareSize(h.own))
	}
	if len(dealt) == SeedSize {
		uniform(sample.New(shareLabel, [SeedSize]byte(dealt), 0), h.part)
	} else if err := unpack(dealt, h.part); err != nil {
		return fmt.Errorf("add dealt share: %w", err)
	}
	h.params.ring.Add(h.share, h.part, h.share)
	h.part.Zero()
	return nil
}

// Secret returns the share to be stored, PolynomialSize bytes; nil once it was used.
func (h Holder) Secret() []byte {
	if h.spent() {
		return nil
	}
	return pack(nil, h.share)
}

func (h Holder) spent() bool { return len(h.share.Coeffs) == 0 }

// LoadHolder takes the share that Secret returned, with the life under which it was made.
// Without one it is a holder that has shared, and gets from its journal what it gave.
// Errors: ErrGroup, ErrMalformed.
func (p *Parameters) LoadHolder(g Group, own uint8, life Life, secret []byte) (Holder, error) {
	h, err := p.NewHolder(g, own, life)
	if err != nil {
		return Holder{}, err
	}
	if len(secret) == 0 {
		h.share = ring.Poly{}
		return h, nil
	}
	if err := unpack(secret, h.share); err != nil {
		return Holder{}, fmt.Errorf("load key share: %w", err)
	}
	return h, nil
}

// Format hides the key from every verb of package fmt.
func (h Holder) Format(s fmt.State, _ rune) { io.WriteString(s, redacted) }

// Share returns this holder's decryption share of a sum, of which it has the masks, for a set of
// holders that is fixed: Threshold points in ascending order, its own among them. It is the one share under this key,
// for good: the journal notes the request before anything is computed and the share before it
// is returned; the same request gets the stored bytes again, and every other one ErrShared.
//
// The caller must have checked that the sum is of as many contributions as were agreed, and
// what they were: the share opens whatever the sum is. random must be cryptographic. The secret
// enters the flooding's seed as well, so that a poor source still does not show it.
//
// Errors: ErrGroup, ErrShared, ErrLost, ErrRestored, the journal's and random's. After any of
// them but ErrGroup and ErrShared the key may be spent.
func (h Holder) Share(s *MaskSum, active []uint8, j Journal, random io.Reader) ([]byte, error) {
	if err := h.group.CheckActive(active); err != nil {
		return nil, fmt.Errorf("share: %w", err)
	}
	if !slices.Contains(active, h.own) {
		return nil, fmt.Errorf("share: %w: point %d is not active", ErrGroup, h.own)
	}
	sum := s.Digest()
	e := Entry{
		Key:     transcript.Digest(holderLabel, s.key.reference[:], []byte{h.own}),
		Request: transcript.Digest(requestLabel, sum[:], active),
	}
	stored, err := h.begin(&e, j, random)
	if err != nil {
		return nil, fmt.Errorf("share: %w", err)
	}
	if stored != nil {
		if len(stored) != s.ShareSize() {
			return nil, fmt.Errorf("share: %w", ErrLost)
		}
		return stored, nil
	}
	if h.spent() {
		return nil, fmt.Errorf("share: %w", ErrLost)
	}
	e.Share, err = h.compute(s, active, e, random)
	if err != nil {
		return nil, fmt.Errorf("share: %w", err)
	}
	kept, err := j.Record(e)
	switch {
	case err != nil:
		return nil, fmt.Errorf("share: keep: %w", err)
	case kept.Request != e.Request || kept.Attempt != e.Attempt || !bytes.Equal(kept.Share, e.Share):
		return nil, fmt.Errorf("share: keep: %w", ErrLost)
	}
	return e.Share, nil
}

// begin notes the request. It returns a stored share if there is one; without one and without
// an error the share may be computed.
func (h Holder) begin(e *Entry, j Journal, random io.Reader) ([]byte, error) {
	life, err := j.Life()
	switch {
	case err != nil:
		return nil, fmt.Errorf("read journal: %w", err)
	case life != h.life:
		return nil, ErrRestored
	}
	if _, err := io.ReadFull(random, e.Attempt[:]); err != nil {
		return nil, fmt.Errorf("draw: %w", err)
	}
	noted, err := j.Record(*e)
	switch {
	case err != nil:
		return nil, fmt.Errorf("write journal: %w", err)
	case noted.Key != e.Key:
		return nil, errors.New("write journal: it returned another key's entry")
	case noted.Request != e.Request:
		return nil, ErrShared
	case len(noted.Share) > 0:
		return noted.Share, nil
	case noted.Attempt != e.Attempt:
		return nil, ErrLost
	}
	return nil, nil
}

// compute is λ·k·mask + f for each block, and forgets the key.
func (h Holder) compute(s *MaskSum, active []uint8, e Entry, random io.Reader) ([]byte, error) {
	var fresh [SeedSize]byte
	if _, err := io.ReadFull(random, fresh[:]); err != nil {
		return nil, fmt.Errorf("draw: %w", err)
	}
	p := h.params
	seed := transcript.Digest(hedgeLabel, fresh[:], h.Secret(), e.Key[:], e.Request[:])
	at := slices.Index(active, h.own)
	for limb := range limbs {
		l, k := &p.limb[limb], h.share.Coeffs[limb]
		weight := l.form(weights(active, []uint8{0}, l.q)[0][at])
		for i, x := range k {
			k[i] = l.mul(x, weight)
		}
	}
	p.ring.NTT(h.share, h.share)
	out := make([]byte, 0, s.ShareSize())
	for i, c := range s.blocks {
		p.ring.NTT(c, h.part)
		p.ring.MulCoeffsBarrett(h.part, h.share, h.part)
		p.ring.INTT(h.part, h.part)
		p.flood(sample.New(floodLabel, seed, uint32(i)), h.part)
		out = pack(out, h.part)
	}
	h.share.Zero()
	h.share = ring.Poly{}
	return out, nil
}

// Combiner puts decryption shares together. For one goroutine.
type Combiner struct {
	sum    *Sum
	active []uint8
	taken  []uint8
	shares []ring.Poly
	part   []ring.Poly
}

// NewCombiner begins the decryption of a sum by a set of holders. Later additions to the sum
// must not happen. ErrGroup is the only error.
func (s *Sum) NewCombiner(g Group, active []uint8) (*Combiner, error) {
	if err := g.CheckActive(active); err != nil {
		return nil, fmt.Errorf("begin decryption: %w", err)
	}
	p, n := s.masks.key.params, len(s.bodies)
	return &Combiner{sum: s, active: slices.Clone(active), shares: p.polys(n), part: p.polys(n)}, nil
}

// Add takes an active holder's share, or changes nothing and reports ErrMalformed, ErrGroup
// or ErrOrder.
func (c *Combiner) Add(point uint8, share []byte) error {
	switch {
	case !slices.Contains(c.active, point):
		return fmt.Errorf("add decryption share: %w: point %d is not active", ErrGroup, point)
	case slices.Contains(c.taken, point):
		return fmt.Errorf("add decryption share: %w: point %d", ErrOrder, point)
	case len(share) != c.sum.masks.ShareSize():
		return fmt.Errorf("add decryption share: %w: %d bytes, not %d", ErrMalformed, len(share), c.sum.masks.ShareSize())
	}
	for i := range c.part {
		if err := unpack(share[i*PolynomialSize:(i+1)*PolynomialSize], c.part[i]); err != nil {
			return fmt.Errorf("add decryption share: block %d: %w", i, err)
		}
	}
	for i := range c.shares {
		c.sum.masks.key.params.ring.Add(c.shares[i], c.part[i], c.shares[i])
	}
	c.taken = append(c.taken, point)
	return nil
}

// Values returns the sums of the first counters; all that are left of the last block must be
// 0. Errors: ErrOrder while shares are missing, ErrRange, and ErrInconsistent if what comes
// out is no sum of contributions: noise, a counter or an unused place is not within bounds.
// A share of another key, sum or set does this always, since a random coefficient passes with
// a probability of at most a quarter; one that is off by a multiple of Δ does not.
func (c *Combiner) Values(counters int) ([]int32, error) {
	if len(c.taken) != len(c.active) {
		return nil, fmt.Errorf("decrypt: %w: %d of %d shares", ErrOrder, len(c.taken), len(c.active))
	}
	if n, err := Blocks(counters); err != nil || n != len(c.shares) {
		return nil, fmt.Errorf("decrypt: %w: %d counters in %d blocks", ErrRange, counters, len(c.shares))
	}
	p := c.sum.masks.key.params
	out := make([]int32, len(c.shares)*CountersPerBlock)
	for i := range c.shares {
		x := c.part[i]
		p.ring.Add(c.sum.bodies[i], c.shares[i], x)
		for n := range Degree {
			v, ok := p.radix.decode(x.Coeffs[0][n], x.Coeffs[1][n], x.Coeffs[2][n], len(c.active))
			if !ok {
				return nil, fmt.Errorf("decrypt: %w: coefficient %d of block %d", ErrInconsistent, n, i)
			}
			for k, d := range v {
				out[i*CountersPerBlock+k*Degree+n] = d
			}
		}
	}
	if i := slices.IndexFunc(out[counters:], func(v int32) bool { return v != 0 }); i >= 0 {
		return nil, fmt.Errorf("decrypt: %w: unused counter %d is not 0", ErrInconsistent, counters+i)
	}
	return out[:counters], nil
}
