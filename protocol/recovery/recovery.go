// Package recovery is how a ledger that came to a stand goes on, in a new ledger term.
// (SPEC "Ledger terms".)
//
//	a member calls ── members pledge ── the caller opens ── another tree, from a base on
//
// Who pledges signs no checkpoint of an earlier term any more, and says which is the
// largest that it has cosigned. So it is one round of voting as in Paxos (Lamport 1998),
// with terms as ballots: a quorum of pledges has a member in common with the cosigners of
// every final checkpoint who keeps the rules, and whose pledge tells of it.
//
// Opening.Check promises that a term whose opening it admits begins with every entry that
// was final in an earlier one, as long as at most roster.Faulty(n) of the n members break
// the rules, the caller and all sequencers included; but where one of three members is left
// out, only if both others keep them. It does not promise that the term comes about: a
// caller can open it twice, or not at all, and then another has to call; and where more than
// a third of the sequencers lie, members can have cosigned what no term can begin with. Nor
// can it tell whether a new term was needed: people decide that.
package recovery

import (
	"errors"
	"fmt"

	"entente/crypto/sign"
	"entente/crypto/transcript"
	"entente/protocol/checkpoint"
	"entente/protocol/roster"
	"entente/protocol/wire"
)

const (
	callLabel    = "entente/ledger-term/call/1"
	pledgeLabel  = "entente/ledger-term/pledge/1"
	openingLabel = "entente/ledger-term/opening/1"
)

// MaxOpening is the longest encoding of an opening in bytes: the base with its signatures
// and a pledge of every member.
const MaxOpening = checkpoint.MaxSigned + roster.MaxMembers*(checkpoint.MaxText+sign.Ed25519Size+sign.MLDSA44Size+128) + 4096

// MaxTerm bounds the numbers of terms. Calls that come to nothing use numbers up, so there
// are more than people can ever call for.
const MaxTerm = 1 << 40

// MaxTerms bounds the terms of one ledger: each takes people to decide, and a reader must
// bound what it is shown.
const MaxTerms = 1024

// Call is a member's call for a new term.
type Call struct {
	_          struct{} `codec:",toarray"`
	Federation []byte   // digest of the first roster
	Term       uint64   // from 2 on
	Member     string   // who calls
	Sequencers []string // who orders entries in it, ascending
	Without    string   // who has no part from it on, where three members have part; else empty
}

// Validate checks the form.
func (c Call) Validate() error {
	if len(c.Federation) != transcript.Size || c.Term < 2 || c.Term > MaxTerm {
		return errors.New("call for a term: federation or number is out of bounds")
	}
	if err := roster.CheckID(c.Member); err != nil {
		return fmt.Errorf("call for a term: %w", err)
	}
	if err := roster.CheckIDs(c.Sequencers, roster.MaxSequencers); err != nil {
		return fmt.Errorf("call for a term: sequencers: %w", err)
	}
	if c.Without == "" {
		return nil
	}
	if err := roster.CheckID(c.Without); err != nil {
		return fmt.Errorf("call for a term: %w", err)
	}
	if c.Without == c.Member {
		return errors.New("call for a term: who calls is who has no part")
	}
	return nil
}

// Digest names the call.
func (c Call) Digest() [32]byte {
	b, err := wire.Marshal(c)
	if err != nil {
		return [32]byte{} // a call that was not checked: the digest of none
	}
	return transcript.Digest(callLabel, b)
}

// place is the term's place in the order of terms.
func (c Call) place() checkpoint.Origin { return checkpoint.Origin{Term: c.Term, Caller: c.Member} }

// Later reports whether the term comes after another, in the order of checkpoint.Origin.
func (c Call) Later(than checkpoint.Origin) bool { return c.place().Compare(than) > 0 }

// Pledge is a member's word that it signs no checkpoint of a term before the one that was
// called for. The caller stores it durably before anybody sees it.
type Pledge struct {
	_       struct{} `codec:",toarray"`
	Call    []byte   // digest
	Member  string
	Text    []byte // of the largest checkpoint that it has cosigned, or knows to be final; empty if there is none
	Ed25519 []byte
	MLDSA44 []byte
}

// claim is what a pledge's signatures are over.
type claim struct {
	_      struct{} `codec:",toarray"`
	Call   []byte
	Member string
	Text   []byte
}

func (p Pledge) message() ([]byte, error) {
	b, err := wire.Marshal(claim{Call: p.Call, Member: p.Member, Text: p.Text})
	return append([]byte(pledgeLabel+"\n"), b...), err
}

// NewPledge signs a pledge.
func NewPledge(c Call, member string, text []byte, key *sign.CosigningKey) (Pledge, error) {
	digest := c.Digest()
	p := Pledge{Call: digest[:], Member: member, Text: text}
	m, err := p.message()
	if err != nil {
		return Pledge{}, fmt.Errorf("pledge: %w", err)
	}
	p.Ed25519, p.MLDSA44 = key.Ed25519(m), key.MLDSA44(m)
	return p, nil
}

// checkpoint is the tree that the member names; of size 0 if it names none.
func (p Pledge) checkpoint() (checkpoint.Checkpoint, error) {
	if len(p.Text) == 0 {
		return checkpoint.Checkpoint{}, nil
	}
	return checkpoint.Parse(p.Text)
}

// Verify checks form and signatures.
func (p Pledge) Verify(c Call, key *sign.CosigningPublicKey) error {
	m, err := p.message()
	if err != nil {
		return fmt.Errorf("pledge: %w", err)
	}
	t, err := p.checkpoint()
	if err != nil {
		return fmt.Errorf("pledge of %s: %w", p.Member, err)
	}
	if digest := c.Digest(); string(p.Call) != string(digest[:]) {
		return fmt.Errorf("pledge of %s: it is for another call", p.Member)
	}
	if len(p.Text) > 0 && (string(t.Origin.Federation[:]) != string(c.Federation) || !c.Later(t.Origin)) {
		return fmt.Errorf("pledge of %s: it names a checkpoint of another ledger or a later term", p.Member)
	}
	if key == nil || len(p.Ed25519) != sign.Ed25519Size || len(p.MLDSA44) != sign.MLDSA44Size || !key.VerifyEd25519(m, p.Ed25519) || !key.VerifyMLDSA44(m, p.MLDSA44) {
		return fmt.Errorf("pledge of %s: %w", p.Member, sign.ErrSignature)
	}
	return nil
}

// Stance is what a member answers a call with: its pledge, and the checkpoint that this
// names with the signatures of a quorum of sequencers, and of cosigners if it knows that it
// is final. Both lists are empty if its people
// have not agreed, the second also if it names none.
type Stance struct {
	_           struct{} `codec:",toarray"`
	Pledges     []Pledge // one at most
	Checkpoints []checkpoint.Signed
}

// Validate checks the form.
func (s Stance) Validate() error {
	if len(s.Pledges) > 1 || len(s.Checkpoints) > len(s.Pledges) {
		return errors.New("stance: one pledge at most, and a checkpoint only with it")
	}
	if len(s.Pledges) == 0 {
		return nil
	}
	if _, err := s.Pledges[0].checkpoint(); err != nil {
		return fmt.Errorf("stance: %w", err)
	}
	var text []byte
	if len(s.Checkpoints) == 1 {
		if _, err := s.Checkpoints[0].Checkpoint(); err != nil {
			return fmt.Errorf("stance: %w", err)
		}
		text = s.Checkpoints[0].Text
	}
	if string(text) != string(s.Pledges[0].Text) {
		return errors.New("stance: the checkpoint is not the one that the pledge names")
	}
	return nil
}
