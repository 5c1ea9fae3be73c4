package recovery

import (
	"errors"
	"fmt"
	"slices"

	"entente/crypto/sign"
	"entente/crypto/transcript"
	"entente/protocol/checkpoint"
	"entente/protocol/roster"
	"entente/protocol/wire"
)

// Opening begins a term: where its tree begins, and who pledged for it.
type Opening struct {
	_       struct{} `codec:",toarray"`
	Call    Call
	Base    checkpoint.Signed // the largest that a pledge names, sequenced
	Pledges []Pledge          // ascending by member
	Ed25519 []byte            // of the caller's cosigning key
	MLDSA44 []byte
}

// content is what an opening's digest is of.
type content struct {
	_       struct{} `codec:",toarray"`
	Call    Call
	Base    checkpoint.Signed
	Pledges []Pledge
}

func (o Opening) digest() ([32]byte, error) {
	if o.Base.Text == nil {
		o.Base.Text = []byte{}
	}
	if o.Base.Signatures == nil {
		o.Base.Signatures = []checkpoint.Signature{}
	}
	b, err := wire.Marshal(content{Call: o.Call, Base: o.Base, Pledges: o.Pledges})
	return transcript.Digest(openingLabel, b), err
}

func message(digest [32]byte) []byte { return append([]byte(openingLabel+"\n"), digest[:]...) }

// Open signs an opening by the caller. It does not check it.
func Open(c Call, base checkpoint.Signed, pledges []Pledge, key *sign.CosigningKey) (Opening, error) {
	o := Opening{Call: c, Base: base, Pledges: pledges}
	d, err := o.digest()
	if err != nil {
		return Opening{}, fmt.Errorf("open term: %w", err)
	}
	o.Ed25519, o.MLDSA44 = key.Ed25519(message(d)), key.MLDSA44(message(d))
	return o, nil
}

// Marshal encodes the opening.
func (o Opening) Marshal() ([]byte, error) {
	b, err := wire.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("encode opening: %w", err)
	}
	return b, nil
}

// Unmarshal decodes an opening strictly and checks its form. What it is worth says Check.
func Unmarshal(b []byte) (Opening, error) {
	var o Opening
	if len(b) > MaxOpening {
		return Opening{}, fmt.Errorf("decode opening: has %d bytes, at most %d", len(b), MaxOpening)
	}
	if err := wire.Unmarshal(b, &o); err != nil {
		return Opening{}, fmt.Errorf("decode opening: %w", err)
	}
	if err := o.validate(); err != nil {
		return Opening{}, fmt.Errorf("decode opening: %w", err)
	}
	return o, nil
}

func (o Opening) validate() error {
	if err := o.Call.Validate(); err != nil {
		return err
	}
	if _, err := o.Tree(); err != nil {
		return err
	}
	if len(o.Pledges) == 0 || len(o.Pledges) > roster.MaxMembers {
		return fmt.Errorf("%d pledges, must be 1 to %d", len(o.Pledges), roster.MaxMembers)
	}
	for i, p := range o.Pledges {
		if err := roster.CheckID(p.Member); err != nil {
			return err
		}
		if i > 0 && p.Member <= o.Pledges[i-1].Member {
			return errors.New("the pledges are out of order")
		}
	}
	return nil
}

// Origin names the term's tree.
func (o Opening) Origin() checkpoint.Origin {
	d, err := o.digest()
	if err != nil {
		return checkpoint.Origin{} // of no ledger: what was decoded has a digest
	}
	return checkpoint.Origin{Federation: [32]byte(o.Call.Federation), Term: o.Call.Term, Caller: o.Call.Member, Opening: d}
}

// Tree is the base: the tree of an earlier term with whose entries this one begins.
func (o Opening) Tree() (checkpoint.Checkpoint, error) { return o.Base.Checkpoint() }

// Sizes are those of the trees whose roots Check asks for.
func (o Opening) Sizes() (sizes []uint64) {
	base, err := o.Tree()
	if err != nil {
		return nil
	}
	for _, p := range o.Pledges {
		if t, err := p.checkpoint(); err == nil && t.Size <= base.Size {
			sizes = append(sizes, t.Size)
		}
	}
	return append(sizes, base.Size)
}

// View is what a reader holds when it checks an opening: the tree of earlier terms up to
// the base.
type View struct {
	Origin    checkpoint.Origin // of the term to which the tree up to the base belongs
	Committee checkpoint.Committee
	// Rekeyed are the members whose cosigning keys the base's last entry replaces: they have
	// lost what they signed under the old ones, and their pledges under these count for nothing.
	Rekeyed []string
	Root    func(size uint64) (checkpoint.Hash, error) // of the tree, up to the base
}

// Check checks that the term may begin: by the rules of SPEC "Ledger terms", which make
// sure that it begins with all that is final. The committee is the one that decides on the
// base. What the call says of sequencers is for the caller to check.
func (o Opening) Check(v View) error {
	if err := o.check(v); err != nil {
		return fmt.Errorf("opening of term %d by %s: %w", o.Call.Term, o.Call.Member, err)
	}
	return nil
}

func (o Opening) check(v View) error {
	if err := o.validate(); err != nil {
		return err
	}
	if [32]byte(o.Call.Federation) != v.Origin.Federation {
		return errors.New("it is of another ledger")
	}
	if !o.Call.Later(v.Origin) {
		return errors.New("a later term has begun")
	}
	if err := v.based(o.Base); err != nil {
		return err
	}
	d, err := o.digest()
	if err != nil {
		return err
	}
	caller := v.Committee.Seats[o.Call.Member].Key
	if caller == nil || !caller.VerifyEd25519(message(d), o.Ed25519) || !caller.VerifyMLDSA44(message(d), o.MLDSA44) {
		return fmt.Errorf("its caller's: %w", sign.ErrSignature)
	}
	return o.pledged(v)
}

// based checks that a base is of the tree that is held, and that sequencers have signed it.
func (v View) based(base checkpoint.Signed) error {
	c, err := base.Checkpoint()
	if err != nil {
		return err
	}
	root, err := v.Root(c.Size)
	if err != nil {
		return err
	}
	if c.Origin != v.Origin || root != c.Root {
		return errors.New("the base is not of the tree that is held")
	}
	if err := v.Committee.Sequenced(base); err != nil {
		return fmt.Errorf("base: %w", err)
	}
	return nil
}

// Usable says why a pledge for a call cannot count towards a term with this base; nil if it
// can.
func (v View) Usable(c Call, base checkpoint.Signed, p Pledge) error {
	seat, ok := v.Committee.Seats[p.Member]
	if !ok {
		return fmt.Errorf("%s pledged and has no part", p.Member)
	}
	if slices.Contains(v.Rekeyed, p.Member) {
		return fmt.Errorf("%s pledged with a key that is replaced", p.Member)
	}
	if err := p.Verify(c, seat.Key); err != nil {
		return err
	}
	return v.follows(base, p)
}

// pledged checks that enough members have pledged, each so that the base holds what can be
// final of what it has cosigned.
func (o Opening) pledged(v View) error {
	var ids []string
	named := false
	for _, p := range o.Pledges {
		if err := v.Usable(o.Call, o.Base, p); err != nil {
			return err
		}
		named = named || string(p.Text) == string(o.Base.Text)
		ids = append(ids, p.Member)
	}
	if !named {
		return errors.New("no pledge names the base")
	}
	return v.Enough(o.Call, ids)
}

// Enough checks that those who have pledged for a call are as many as it takes.
func (v View) Enough(c Call, ids []string) error {
	if c.Without == "" {
		return v.Committee.Decided(ids)
	}
	if _, ok := v.Committee.Seats[c.Without]; !ok || len(v.Committee.Seats) != Alone {
		return fmt.Errorf("a member can be left out where it is one of %d", Alone)
	}
	for id := range v.Committee.Seats {
		if slices.Contains(ids, id) == (id == c.Without) {
			return fmt.Errorf("all but %s must pledge, and it not", c.Without)
		}
	}
	return nil
}

// Alone is the number of members of which the others can go on without one: of fewer,
// nobody would be left to agree with, and of more, a quorum is not all.
const Alone = 3

// follows checks that the base goes on from what a pledge names, unless that cannot be final:
//
//   - if it is of a term before that of the base: the opening of the base's term took it in,
//     if it was final;
//   - if it conflicts with the base, and the base is final.
func (v View) follows(base checkpoint.Signed, p Pledge) error {
	if len(p.Text) == 0 {
		return nil
	}
	b, err := base.Checkpoint()
	if err != nil {
		return err
	}
	t, err := p.checkpoint()
	if err != nil {
		return err
	}
	switch later := t.Origin.Compare(b.Origin); {
	case later > 0:
		return fmt.Errorf("%s has cosigned in a later term than that of the base", p.Member)
	case later < 0:
		return nil
	case t.Origin == b.Origin && t.Size > b.Size:
		return fmt.Errorf("%s has cosigned more than the base", p.Member)
	case t.Origin == b.Origin:
		root, err := v.Root(t.Size)
		if err != nil {
			return err
		}
		if root == t.Root {
			return nil
		}
	}
	if v.Committee.Final(base) == nil {
		return nil
	}
	return fmt.Errorf("%s has cosigned another tree than that of the base", p.Member)
}

// Plausible reports whether so many of the pledges are signed under one of the keys that
// their members ever had, as far as a reader knows them. It costs little, and keeps others
// from having a reader look into what they made up.
func (o Opening) Plausible(keys func(member string) []*sign.CosigningPublicKey, enough int) bool {
	n := 0
	for _, p := range o.Pledges {
		if slices.ContainsFunc(keys(p.Member), func(k *sign.CosigningPublicKey) bool { return p.Verify(o.Call, k) == nil }) {
			n++
		}
	}
	return n >= enough
}
