package checkpoint

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"entente/crypto/sign"
	"entente/protocol/roster"
)

func TestQuorums(t *testing.T) {
	for n, want := range map[int]int{2: 2, 3: 3, 4: 3, 5: 4, 7: 5, 10: 7, 45: 30, 49: 33, 64: 43} {
		if got := Quorum(n); got != want {
			t.Errorf("%d members: quorum %d, want %d", n, got, want)
		}
	}
	for s, want := range map[int]int{0: 0, 1: 1, 2: 2, 3: 3, 4: 3, 5: 4, 6: 5, 7: 5} {
		if got := SequencerQuorum(s); got != want {
			t.Errorf("%d sequencers: quorum %d, want %d", s, got, want)
		}
	}
	for n := 2; n <= 64; n++ {
		q, f := Quorum(n), roster.Faulty(n)
		if 2*q-n < f+1 || q > n {
			t.Errorf("two quorums of %d of %d share %d members, of which %d may be faulty", q, n, 2*q-n, f)
		}
		if 2*(q-1)-n >= f+1 {
			t.Errorf("a quorum of %d of %d would do", q-1, n)
		}
		if n >= 4 && q > n-f {
			t.Errorf("%d of %d cannot be reached without %d", q, n, f)
		}
	}
}

func TestFinal(t *testing.T) {
	c, keys := seats(t, 7, 4) // a quorum is 5 cosigners, 3 sequencers
	p := at(t, grown(t, 9, 9, 0), 9)
	full := signed(p, keys, upTo(3), upTo(5))
	must(t, c.Final(full))
	spread := c
	spread.Blocs = 3
	must(t, spread.Final(full))
	spread.Blocs = 4
	short := func(role Role, have, want int) func(error) bool {
		return func(err error) bool {
			e, ok := errors.AsType[*QuorumError](err)
			return ok && e.Role == role && e.Have == have && e.Want == want && len(e.Missing) > 0
		}
	}
	blames := func(text string) func(error) bool {
		return func(err error) bool {
			_, short := errors.AsType[*QuorumError](err)
			return err != nil && !short && strings.Contains(err.Error(), text)
		}
	}
	change := func(f func(s *Signature)) Signed {
		s := Signed{Text: full.Text, Signatures: slices.Clone(full.Signatures)}
		f(&s.Signatures[len(s.Signatures)-1])
		return s
	}
	other := at(t, grown(t, 9, 5, 1), 9)
	strange := full.Signatures[0]
	strange.Role = 3
	for name, test := range map[string]struct {
		c    Committee
		s    Signed
		says func(error) bool
	}{
		"no signature":        {c, Signed{Text: p.Text()}, short(Sequencer, 0, 3)},
		"too few sequencers":  {c, signed(p, keys, upTo(2), upTo(7)), short(Sequencer, 2, 3)},
		"too few cosigners":   {c, signed(p, keys, upTo(4), upTo(4)), short(Cosigner, 4, 5)},
		"too few blocs":       {spread, full, func(err error) bool { return err != nil && strings.Contains(err.Error(), "3 blocs of 4") }},
		"no sequencer":        {c, signed(p, keys, []int{0, 1, 2, 4}, upTo(5)), blames("M04 signed and is no sequencer")},
		"twice":               {c, signed(p, keys, upTo(3), []int{0, 1, 2, 3, 3}), blames("M03 signed twice")},
		"no member":           {c, change(func(s *Signature) { s.Member = "M77" }), blames("M77 signed and is no cosigner")},
		"another's signature": {c, change(func(s *Signature) { s.Member = "M05" }), blames("M05 as cosigner")},
		"other time":          {c, change(func(s *Signature) { s.Time++ }), blames("M04 as cosigner")},
		"swapped": {c, change(func(s *Signature) {
			s.Ed25519, s.MLDSA44 = full.Signatures[0].Ed25519, full.Signatures[0].MLDSA44
		}), blames("M04 as cosigner")},
		"half of another": {c, change(func(s *Signature) {
			s.MLDSA44 = Sign(other, "M04", Cosigner, keys["M04"], noon).MLDSA44
		}), blames("M04 as cosigner")},
		"other half of another": {c, change(func(s *Signature) {
			s.Ed25519 = Sign(other, "M04", Cosigner, keys["M04"], noon).Ed25519
		}), blames("M04 as cosigner")},
		"role unknown": {c, change(func(s *Signature) { s.Role = 3 }), blames("unknown role")},
		"role unknown, besides a quorum": {c, Signed{Text: full.Text, Signatures: append(slices.Clone(full.Signatures), strange)},
			blames("unknown role")},
		"text": {c, Signed{Text: []byte("x"), Signatures: full.Signatures}, blames("parse checkpoint")},
	} {
		if err := test.c.Final(test.s); !test.says(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What a sequencer signs is no cosignature, and the reverse.
	for _, role := range []Role{Sequencer, Cosigner} {
		s := Sign(p, "M00", role, keys["M00"], noon)
		s.Role = Sequencer + Cosigner - role
		if s.Verify(p, keys["M00"].Public()) == nil {
			t.Errorf("the signature of a %s passes for that of a %s", role, s.Role)
		}
		classic, _ := s.messages(p)
		if s.VerifyHalf(classic, keys["M00"].Public()) {
			t.Errorf("the Ed25519 half of a %s passes for that of a %s", role, s.Role)
		}
	}
	if Sign(p, "M00", Cosigner, keys["M00"], noon).Verify(p, nil) == nil {
		t.Error("verified without a key")
	}
}

// VerifyHalf checks the half that does not hold the signer's name.
func (s Signature) VerifyHalf(message []byte, key *sign.CosigningPublicKey) bool {
	return key.VerifyEd25519(message, s.Ed25519)
}

// A member without a key counts as a member, and cannot sign.
func TestMemberWithoutKey(t *testing.T) {
	c, keys := seats(t, 4, 1)
	p := at(t, grown(t, 3, 3, 0), 3)
	c.Seats["M00"] = Seat{Sequencer: true}
	if err := c.Final(signed(p, keys, upTo(1), upTo(4))); err == nil || !strings.Contains(err.Error(), "M00") {
		t.Errorf("%v", err)
	}
}
