package checkpoint

import (
	"errors"
	"fmt"
	"slices"

	"entente/crypto/sign"
	"entente/protocol/wire"
)

// MaxEvidence is the longest encoding of evidence in bytes. It holds few signatures: each
// convicts, and the rest is for the next evidence.
const MaxEvidence = 60 << 10

// Evidence is two checkpoints of one tree that cannot both be honest: the second is at
// least as large, and its tree had another root at the first one's size. Whoever cosigned
// both has broken the rules, and so has whoever sequenced both if they are of one size. Any
// other two signatures can be an honest member's to whom a leader showed another order.
type Evidence struct {
	_             struct{} `codec:",toarray"`
	First, Second Signed
	Root          []byte   // of the second's tree at the first's size
	Proof         [][]byte // that it was so: a consistency proof; none if the sizes are equal
}

// Marshal encodes the evidence.
func (e Evidence) Marshal() ([]byte, error) {
	if e.Proof == nil {
		e.Proof = [][]byte{}
	}
	b, err := wire.Marshal(e)
	if err == nil && len(b) > MaxEvidence {
		err = fmt.Errorf("has %d bytes, at most %d: leave signatures out", len(b), MaxEvidence)
	}
	if err != nil {
		return nil, fmt.Errorf("encode evidence: %w", err)
	}
	return b, nil
}

// UnmarshalEvidence decodes evidence strictly. What it proves says Convicts.
func UnmarshalEvidence(b []byte) (Evidence, error) {
	var e Evidence
	if len(b) > MaxEvidence {
		return Evidence{}, fmt.Errorf("decode evidence: has %d bytes, at most %d", len(b), MaxEvidence)
	}
	if err := wire.Unmarshal(b, &e); err != nil {
		return Evidence{}, fmt.Errorf("decode evidence: %w", err)
	}
	if _, err := e.conflict(); err != nil {
		return Evidence{}, fmt.Errorf("decode evidence: %w", err)
	}
	return e, nil
}

// conflict checks that the checkpoints cannot both be honest.
func (e Evidence) conflict() ([2]Checkpoint, error) {
	var both [2]Checkpoint
	var err error
	for i, s := range []Signed{e.First, e.Second} {
		if both[i], err = s.Checkpoint(); err != nil {
			return both, err
		}
	}
	first, second := both[0], both[1]
	if first.Origin != second.Origin {
		return both, errors.New("the checkpoints are of different trees")
	}
	if len(e.Root) != HashSize || len(e.Proof) > MaxProof {
		return both, errors.New("root or proof has the wrong length")
	}
	root, proof := Hash(e.Root), make([]Hash, len(e.Proof))
	for i, b := range e.Proof {
		if len(b) != HashSize {
			return both, errors.New("proof has the wrong length")
		}
		proof[i] = Hash(b)
	}
	if err := second.CheckConsistency(proof, first.Size, root); err != nil {
		return both, err
	}
	if root == first.Root {
		return both, errors.New("the checkpoints do not conflict")
	}
	return both, nil
}

// Convicts returns the members who must not have signed both checkpoints as they did, at
// least one, in order of their ids. Every signature in the evidence must verify under one of
// its signer's keys; keys returns all that a member ever had.
func (e Evidence) Convicts(keys func(member string) []*sign.CosigningPublicKey) ([]string, error) {
	both, err := e.conflict()
	if err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	type signer struct {
		member string
		role   Role
	}
	var signers [2]map[signer]bool
	for i, s := range []Signed{e.First, e.Second} {
		signers[i] = map[signer]bool{}
		for _, one := range s.Signatures {
			err := fmt.Errorf("%s never had a key", one.Member)
			for _, k := range keys(one.Member) {
				if err = one.Verify(both[i], k); err == nil {
					break
				}
			}
			if err != nil {
				return nil, fmt.Errorf("evidence: %w", err)
			}
			signers[i][signer{one.Member, one.Role}] = true
		}
	}
	var convicted []string
	for s := range signers[0] {
		if signers[1][s] && (s.role == Cosigner || both[0].Size == both[1].Size) {
			convicted = append(convicted, s.member)
		}
	}
	if len(convicted) == 0 {
		return nil, errors.New("evidence: nobody has signed both checkpoints who must not")
	}
	slices.Sort(convicted)
	return slices.Compact(convicted), nil
}
