package names

import (
	"encoding/binary"
	"fmt"

	"entente/crypto/he"
	"entente/crypto/transcript"
	"entente/protocol/exact"
	"entente/protocol/similar"
	"entente/protocol/wire"
)

// Labels of digests.
const (
	sessionLabel = "entente/names/session/1"
	labelsLabel  = "entente/names/labels/1"
	handlesLabel = "entente/names/handles/1"
)

// Session is what both sides agreed on before the run, and the own secrets.
type Session struct {
	Agreement  [32]byte // digest of offer and answer
	Run        int      // index of the run inside the round, from 0
	Kind       string   // of keys, 1 to 64 bytes
	Version    uint16   // of keys
	Model      string   // of vectors
	Dimension  int      // coordinates of a vector
	Threshold  int      // least score that is a hit, 1 to similar.MaxThreshold
	Probes     int      // size class of the asker's records
	Templates  int      // size class of the answerer's records
	Candidates int      // most pairs that are compared, up to similar.MaxCandidates
	Learns     similar.Learns

	AskerCommitment, AnswererCommitment [32]byte       // to their secrets
	Secret                              similar.Secret // own, the one committed to

	KeyPublic []byte // asker: the answerer's public key of suite "oprf", from the agreement
	KeySecret []byte // own secret of that suite
}

// Check refuses sessions that no agreement should have led to.
func (s *Session) Check() error {
	for _, n := range []int{s.Probes, s.Templates} {
		if !wire.IsSizeClass(n) || n > MaxRecords {
			return fmt.Errorf("session: %d is no size class of records", n)
		}
	}
	if s.Candidates < 1 || s.Candidates > similar.MaxCandidates {
		return fmt.Errorf("session: %d candidates", s.Candidates)
	}
	x := s.Similar()
	x.Candidates = []similar.Pair{}
	return x.Check() // keys are checked by their own suite, before anything is sent
}

func (s *Session) class(r role) int {
	if r == asker {
		return s.Probes
	}
	return s.Templates
}

// exact is the session of the run over keys.
func (s *Session) exact() exact.Session {
	return exact.Session{
		Agreement: s.Agreement, Kind: s.Kind, Version: s.Version, Run: s.Run, Mutual: true,
		Receiver: keyClass(s.Probes), Sender: keyClass(s.Templates),
		PeerPublic: s.KeyPublic, Secret: s.KeySecret,
	}
}

// keyClass is the size class of keys of a size class of records.
func keyClass(records int) int { return wire.SizeClass(keyShare * records) }

// Similar is the session of the run over vectors, still without candidates: with those an
// auditor computes its queries and replies.
func (s *Session) Similar() similar.Session {
	return similar.Session{
		Agreement: s.Agreement, Run: s.Run, Model: s.Model, Dimension: s.Dimension, Threshold: s.Threshold,
		Probes: s.Probes, Templates: s.Templates, Learns: s.Learns,
		AskerCommitment: s.AskerCommitment, AnswererCommitment: s.AnswererCommitment, Secret: s.Secret,
	}
}

// digest names the run. Both sides must see all of it alike.
func (s *Session) digest() [32]byte {
	b := binary.BigEndian.AppendUint16(nil, s.Version)
	for _, n := range []int{s.Run, s.Dimension, s.Threshold, s.Probes, s.Templates, s.Candidates, int(s.Learns)} {
		b = binary.BigEndian.AppendUint32(b, uint32(n))
	}
	return transcript.Digest(sessionLabel, s.Agreement[:], []byte(s.Kind), []byte(s.Model), b,
		s.AskerCommitment[:], s.AnswererCommitment[:])
}

// Bound is how many candidates an agreement allows two lists of these size classes: 64 for each
// place, where invented records of eighteen cultures have some 3 in lists of 20,000 (twice as
// many in lists twice as long).
func Bound(probes, templates int) int { return min(similar.MaxCandidates, 64*(probes+templates)) }

// Estimated costs, from "entente bench names" on one core without AVX-512.
const (
	replySeconds      = 1.8e-3 // of a reply to a batch of 4,096 probes, both sides
	ciphertextSeconds = 0.4e-3 // of one of a query
	pairBytes         = 120
	pairsPerRecord    = 3 // candidates of lists of 20,000; proportional to the length
)

// costs are how many ciphertexts, replies and candidates a run is expected to have.
func (s *Session) costs() (ciphertexts, replies, pairs int64) {
	batches := int64((s.Probes + he.Degree - 1) / he.Degree)
	pairs = int64(s.Templates) * int64(s.Probes) * pairsPerRecord / 20_000
	return batches * int64(s.Dimension+1), int64(s.Templates), pairs
}

// Bytes estimates what a run sends in both directions.
func (s *Session) Bytes() int64 {
	keys, _ := exact.Estimate(keySuite, s.exact().Receiver, s.exact().Sender, true)
	ciphertexts, replies, pairs := s.costs()
	return keys + ciphertexts*he.CiphertextSize + replies*int64(he.Layout{Slots: he.Degree, Split: 1}.ReplySize()/2) + pairs*pairBytes
}

// Seconds estimates the processor time of both sides together.
func (s *Session) Seconds() float64 {
	_, keys := exact.Estimate(keySuite, s.exact().Receiver, s.exact().Sender, true)
	ciphertexts, replies, _ := s.costs()
	return keys + float64(ciphertexts)*ciphertextSeconds + float64(replies)*replySeconds
}
