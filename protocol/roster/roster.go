// Package roster defines who belongs to a federation: member cards, the roster made of
// them, and the detached signatures by which every member agrees to the same roster.
// (SPEC "Membership and keys".)
//
//	member.json            one member's entry, signed with the key that it names
//	fed.json               the roster: name, version, entries sorted by ID; also who
//	                       sequences the federation's ledger, if it keeps one
//	fed.json.<ID>.sig      one member's signature over the roster
//
// Files are JSON for people to read; signatures and digests are over the canonical CBOR
// of the decoded value, so white space does not matter and everything else does: a
// decoder refuses unknown, repeated, missing and reordered fields. Signatures are
// collected by putting the files into one folder.
//
// It promises that a roster which verifies is the one that every listed member signed
// with both algorithms, and that no two members share an ID or any key. It does not
// promise that a key belongs to the institution whose name stands beside it: people
// compare the words of the digest over another channel for that.
package roster

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"entente/crypto/sign"
	"entente/crypto/transcript"
	"entente/protocol/wire"
)

// Limits of a roster.
const (
	MinMembers = 2  // one member has nobody to match with
	MaxMembers = 64 // keys are kept parsed in memory, cosignatures grow with it
)

// Roster lists the members of a federation, and who sequences the ledger that it keeps
// in common, if it keeps one. Its canonical CBOR is an array of these fields in this
// order, without the last two where nobody sequences: see form.
type Roster struct {
	Version    uint64   // 1 for the first; grows by one with each change
	Name       string   // of the federation
	Members    []Member // ascending by ID
	Sequencers []string // who orders the ledger when it begins, ascending; none: there is no ledger
	Spread     Spread   // of how many blocs those must be who sign the ledger
}

// form is what tells rosters with a ledger from those without: neither can be taken for
// the other, and whoever knows only the first refuses the second as a whole.
type form struct {
	domain sign.Domain // of signatures
	label  string      // of the digest
	file   string      // how the file begins
}

func (r Roster) form() form {
	if r.HasLedger() {
		return form{"entente/roster/2", "entente/roster-digest/2", ledgerRosterFormat}
	}
	return form{"entente/roster/1", "entente/roster-digest/1", rosterFormat}
}

// HasLedger reports whether the federation keeps a common ledger. Without one its members
// keep accounts with each other in pairs.
func (r Roster) HasLedger() bool { return len(r.Sequencers) > 0 }

// New draws up version 1 of a roster without a ledger from verified cards, in any order.
func New(name string, cards []Card) (Roster, error) { return NewWithLedger(name, cards, nil, Spread{}) }

// NewWithLedger is New for a federation that keeps a ledger, which these members
// sequence. Everything may be in any order.
func NewWithLedger(name string, cards []Card, sequencers []string, spread Spread) (Roster, error) {
	r := Roster{Version: 1, Name: name, Sequencers: slices.Sorted(slices.Values(sequencers)), Spread: spread.sorted()}
	for _, c := range cards {
		if err := c.Verify(); err != nil {
			return Roster{}, fmt.Errorf("draw up roster: %w", err)
		}
		r.Members = append(r.Members, c.Member)
	}
	slices.SortFunc(r.Members, func(a, b Member) int { return strings.Compare(a.ID, b.ID) })
	if err := r.Validate(); err != nil {
		return Roster{}, fmt.Errorf("draw up roster: %w", err)
	}
	return r, nil
}

// Validate checks every limit, the order of members and that nothing is used twice: no
// ID, no transport key and neither half of a signing key, because whoever holds a key
// that stands for two members could speak for both.
func (r Roster) Validate() error {
	if r.Version == 0 {
		return errors.New("roster: version must be at least 1")
	}
	if err := checkName(r.Name); err != nil {
		return fmt.Errorf("roster: %w", err)
	}
	if len(r.Members) < MinMembers || len(r.Members) > MaxMembers {
		return fmt.Errorf("roster: %d members, must have %d to %d", len(r.Members), MinMembers, MaxMembers)
	}
	keys := map[string]string{}
	for i, m := range r.Members {
		if err := m.Validate(); err != nil {
			return fmt.Errorf("roster: %w", err)
		}
		if i > 0 && m.ID == r.Members[i-1].ID {
			return fmt.Errorf("roster: member %s is there twice", m.ID)
		}
		if i > 0 && m.ID < r.Members[i-1].ID {
			return fmt.Errorf("roster: member %s is out of order", m.ID)
		}
		for _, k := range [][]byte{m.Sign[:32], m.Sign[32:], m.Transport} {
			if other, taken := keys[string(k)]; taken {
				return fmt.Errorf("roster: member %s has a key that stands for %s already", m.ID, other)
			}
			keys[string(k)] = m.ID
		}
	}
	if err := r.validateLedger(); err != nil {
		return fmt.Errorf("roster: %w", err)
	}
	return nil
}

// validateLedger checks who sequences, and that the blocs ask for no more signers than
// can be had. It is the first state of the ledger, and obeys the rules of every later one.
func (r Roster) validateLedger() error {
	if !r.HasLedger() {
		if len(r.Spread.Blocs) > 0 || r.Spread.Wanted > 0 {
			return errors.New("blocs are named, but no sequencers: without a ledger there is nothing that blocs sign")
		}
		return nil
	}
	if err := EnoughSequencers(len(r.Sequencers), len(r.Members)); err != nil {
		return err
	}
	if err := r.members(r.Sequencers); err != nil {
		return fmt.Errorf("sequencers: %w", err)
	}
	if err := r.Spread.Validate(); err != nil {
		return err
	}
	for _, b := range r.Spread.Blocs {
		if err := r.members(b.Members); err != nil {
			return fmt.Errorf("bloc %s: %w", b.Name, err)
		}
	}
	return r.Spread.Reachable(len(r.Members))
}

// members checks that all of these are members, and ascend.
func (r Roster) members(ids []string) error {
	if err := CheckIDs(ids, len(r.Members)); err != nil {
		return err
	}
	for _, id := range ids {
		if _, ok := r.Find(id); !ok {
			return fmt.Errorf("%s is not a member: name another, or draw up the roster with its card", id)
		}
	}
	return nil
}

// Find returns the member with that ID.
func (r Roster) Find(id string) (Member, bool) {
	i, ok := slices.BinarySearchFunc(r.Members, id, func(m Member, id string) int { return strings.Compare(m.ID, id) })
	if !ok {
		return Member{}, false
	}
	return r.Members[i], true
}

// Digest identifies the roster. It is all zeros only for a roster that cannot be
// encoded, which Validate refuses.
func (r Roster) Digest() [32]byte {
	b, err := r.canonical()
	if err != nil {
		return [32]byte{}
	}
	return transcript.Digest(r.form().label, b)
}

// Words returns a digest as words that people compare by telephone.
func Words(digest [32]byte) string { return sign.Words(digest) }

// Words returns the roster's digest as words that people compare by telephone.
func (r Roster) Words() string { return Words(r.Digest()) }

func (r Roster) canonical() ([]byte, error) {
	type first struct {
		_       struct{} `codec:",toarray"`
		Version uint64
		Name    string
		Members []Member
	}
	type second struct {
		_          struct{} `codec:",toarray"`
		Version    uint64
		Name       string
		Members    []Member
		Sequencers []string
		Spread     Spread
	}
	var v any = first{Version: r.Version, Name: r.Name, Members: r.Members}
	if r.HasLedger() {
		v = second{Version: r.Version, Name: r.Name, Members: r.Members, Sequencers: r.Sequencers, Spread: r.Spread}
	}
	b, err := wire.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode roster: %w", err)
	}
	return b, nil
}

// Signature is one member's agreement to a roster, kept in a file of its own so that
// signatures from many places merge by lying in one folder.
type Signature struct {
	Member    string   // who signed
	Roster    [32]byte // digest of the roster that was signed
	Signature []byte   // over the roster's canonical bytes
}

// Sign signs the roster for the member with that ID, whose entry must name the key.
func (r Roster) Sign(id string, key *sign.PrivateKey) (Signature, error) {
	if err := r.Validate(); err != nil {
		return Signature{}, err
	}
	m, ok := r.Find(id)
	if !ok {
		return Signature{}, fmt.Errorf("sign roster: %s is not a member", id)
	}
	if !bytes.Equal(m.Sign, key.Public().Bytes()) {
		return Signature{}, fmt.Errorf("sign roster: the entry of %s names another key", id)
	}
	b, err := r.canonical()
	if err != nil {
		return Signature{}, err
	}
	s, err := key.Sign(r.form().domain, b)
	if err != nil {
		return Signature{}, fmt.Errorf("sign roster: %w", err)
	}
	return Signature{Member: id, Roster: r.Digest(), Signature: s}, nil
}

// Verify checks that every member signed this roster and that nothing else lies among
// the signatures. What is amiss comes back together in one *VerifyError.
func (r Roster) Verify(signatures []Signature) error {
	if err := r.Validate(); err != nil {
		return err
	}
	b, err := r.canonical()
	if err != nil {
		return err
	}
	digest, domain := r.Digest(), r.form().domain
	seen, e := map[string]bool{}, &VerifyError{}
	for _, s := range signatures {
		m, member := r.Find(s.Member)
		switch {
		case !member:
			e.Foreign = append(e.Foreign, s.Member)
			continue
		case seen[s.Member]:
			e.Wrong = append(e.Wrong, s.Member) // two statements by one member: neither counts as the one
			continue
		}
		seen[s.Member] = true
		if s.Roster != digest {
			e.Other = append(e.Other, s.Member)
			continue
		}
		if k, err := m.PublicKey(); err != nil || k.Verify(domain, b, s.Signature) != nil {
			e.Wrong = append(e.Wrong, s.Member)
		}
	}
	for _, m := range r.Members {
		if !seen[m.ID] {
			e.Missing = append(e.Missing, m.ID)
		}
	}
	return e.orNil()
}

// VerifyError says whose signatures keep a roster from being accepted.
type VerifyError struct {
	Missing []string // members that have not signed
	Wrong   []string // members whose signature does not verify, or who are there twice
	Other   []string // members that signed another roster
	Foreign []string // signers that are not in the roster
}

func (e *VerifyError) orNil() error {
	for _, ids := range []*[]string{&e.Missing, &e.Wrong, &e.Other, &e.Foreign} {
		slices.Sort(*ids)
		*ids = slices.Compact(*ids)
	}
	if len(e.Missing)+len(e.Wrong)+len(e.Other)+len(e.Foreign) == 0 {
		return nil
	}
	return e
}

// Error lists the members by what is amiss with their signature.
func (e *VerifyError) Error() string {
	var parts []string
	for _, p := range []struct {
		what string
		ids  []string
	}{
		{"signature missing from", e.Missing},
		{"signature wrong from", e.Wrong},
		{"signature for another roster from", e.Other},
		{"signature by somebody who is not a member:", e.Foreign},
	} {
		if len(p.ids) > 0 {
			parts = append(parts, p.what+" "+strings.Join(p.ids, ", "))
		}
	}
	return "roster: " + strings.Join(parts, "; ")
}
