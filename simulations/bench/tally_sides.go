package bench

import (
	"bytes"
	"crypto/hpke"
	"crypto/rand"
	"fmt"

	"entente/crypto/he/collective"
	"entente/protocol/tally"
	"entente/protocol/tally/machine"
)

// What a node keeps for a tally, in memory.

// tallyShelf is the collector's store.
type tallyShelf map[string][]byte

func (s tallyShelf) Put(name string, b []byte) error {
	s[name] = bytes.Clone(b)
	return nil
}

func (s tallyShelf) Get(name string) ([]byte, error) {
	b, ok := s[name]
	if !ok {
		return nil, fmt.Errorf("nothing is stored as %s", name)
	}
	return b, nil
}

// tallyJournal is a holder's journal.
type tallyJournal struct {
	life    collective.Life
	entries map[[32]byte]collective.Entry
}

func (j *tallyJournal) Life() (collective.Life, error) { return j.life, nil }

func (j *tallyJournal) Record(e collective.Entry) (collective.Entry, error) {
	old, ok := j.entries[e.Key]
	if !ok || old.Request == e.Request && old.Attempt == e.Attempt && old.Share == nil {
		j.entries[e.Key] = e
	}
	return j.entries[e.Key], nil
}

// tallySeals are all members' public sealing keys.
type tallySeals map[string]hpke.PublicKey

// tallySealer seals with HPKE, X25519 and ML-KEM-768.
type tallySealer struct {
	own    hpke.PrivateKey
	others tallySeals
}

func (s *tallySealer) Seal(to string, info, plaintext []byte) ([]byte, error) {
	return hpke.Seal(s.others[to], hpke.HKDFSHA256(), hpke.AES256GCM(), info, plaintext)
}

func (s *tallySealer) Open(info, sealed []byte) ([]byte, error) {
	return hpke.Open(s.own, hpke.HKDFSHA256(), hpke.AES256GCM(), info, sealed)
}

// tallySide is one member.
type tallySide struct {
	config machine.MemberConfig
	member *machine.Member // once it has accepted
}

func newTallySide(i machine.Identity, a *collective.Parameters, seals tallySeals) (*tallySide, error) {
	own, err := hpke.MLKEM768X25519().GenerateKey()
	if err != nil {
		return nil, err
	}
	seals[i.Self] = own.PublicKey()
	j := &tallyJournal{entries: map[[32]byte]collective.Entry{}}
	if _, err := rand.Read(j.life[:]); err != nil {
		return nil, err
	}
	return &tallySide{config: machine.MemberConfig{
		Identity: i, Arithmetic: a, Sealer: &tallySealer{own, seals}, Journal: j, Random: rand.Reader,
	}}, nil
}

// step takes a message; to a proposal the member agrees.
func (s *tallySide) step(m tally.Message) ([]tally.Message, error) {
	if s.member != nil {
		return s.member.Step(m, tallyNow)
	}
	signed, ok := m.Body.(tally.Signed)
	if !ok {
		return nil, fmt.Errorf("message %d came before the proposal", m.Kind)
	}
	member, reply, err := machine.Accept(signed, machine.Terms{Basis: "bench"}, s.config, tallyNow)
	if err != nil {
		return nil, err
	}
	s.member = member
	return []tally.Message{reply}, nil
}
