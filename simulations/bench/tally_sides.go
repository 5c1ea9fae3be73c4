package bench

import (
	"bytes"
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

// tallySide is one member.
type tallySide struct {
	config machine.MemberConfig
	member *machine.Member // once it has accepted
}

func newTallySide(i machine.Identity, a *collective.Parameters) (*tallySide, error) {
	j := &tallyJournal{entries: map[[32]byte]collective.Entry{}}
	if _, err := rand.Read(j.life[:]); err != nil {
		return nil, err
	}
	return &tallySide{config: machine.MemberConfig{Identity: i, Arithmetic: a, Journal: j, Random: rand.Reader}}, nil
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
