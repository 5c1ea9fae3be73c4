package ot

import (
	"errors"
	"math/rand/v2"
	"testing"
)

// field returns the bits of the difference that belong to a tree, the first level highest,
// which are also the place of the leaf that the sender does not know.
func (s *Sender) field(tree int) int {
	v := 0
	for l := range fieldBits {
		v = v<<1 | int(s.bit(tree*fieldBits+l))
	}
	return v
}

// otherChoices is a receiver's cheat: the columns of a tree get other choices, which differ
// by the vector e. It returns what the proof must have instead of the honest tags, if the
// sender's bits for the tree are the guess.
type otherChoices struct {
	tree  int
	e     []byte
	guess int
}

// columns spoils the message.
func (o otherChoices) columns(columns []byte) {
	part := columns[(o.tree-1)*len(o.e):]
	for i, b := range o.e {
		part[i] ^= b
	}
}

// proof spoils the proof: the sender's columns for the tree have the error wherever its bit is
// 1, so a cheat that guesses the bits adds its tag there.
func (o otherChoices) proof(t *testing.T, x *Receiving, challenge, proof []byte) {
	t.Helper()
	tags, err := newTagger(derive(checkKeyLabel, &x.receiver.id, x.number, challenge))
	if err != nil {
		t.Fatal(err)
	}
	tag, zero := tags.tag(o.e), tags.tag(make([]byte, len(o.e)))
	for l := range fieldBits {
		if o.guess>>(fieldBits-1-l)&1 == 1 {
			for i := range tag {
				proof[(1+o.tree*fieldBits+l)*BlockSize+i] ^= tag[i] ^ zero[i]
			}
		}
	}
}

// attempt runs one extension with several cheats and returns the transfers, or nothing if
// they were caught.
func attempt(t *testing.T, s *Sender, r *Receiver, n int, cheats ...otherChoices) (*SenderPads, *ReceiverPads) {
	t.Helper()
	b := begin(t, s, r, n, func(columns []byte) {
		for _, c := range cheats {
			c.columns(columns)
		}
	})
	theirs, proof, err := b.receiving.Prove(b.challenge)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cheats {
		c.proof(t, b.receiving, b.challenge, proof)
	}
	ours, err := b.sending.Verify(proof)
	if err == nil {
		return ours, theirs
	}
	if !errors.Is(err, ErrProof) || !s.ended {
		t.Fatalf("a cheat ends in %v, session ended: %v", err, s.ended)
	}
	return nil, nil
}

// anError returns a column with bits set in the transfers alone.
func anError(n int, bits ...int) []byte {
	e := make([]byte, rowsFor(n)/8)
	for _, i := range bits {
		e[i/8] ^= 1 << (i % 8)
	}
	return e
}

// TestInconsistentChoicesAreCaught: choices that differ between trees pass for exactly one of
// the sixteen values of the sender's bits, the one that the cheat guessed; a cheat that adapts
// nothing guesses zero.
func TestInconsistentChoicesAreCaught(t *testing.T) {
	const n = 200
	for _, e := range [][]byte{anError(n, 0), anError(n, 199), anError(n, 0, 1, 64, 130), anError(n, 300)} {
		for _, tree := range []int{1, 17, 31} {
			passed := 0
			for guess := range 1 << fieldBits {
				s, r := sides(t, fieldBits, 3)
				ours, _ := attempt(t, s, r, n, otherChoices{tree, e, guess})
				if (ours != nil) != (guess == s.field(tree)) {
					t.Errorf("tree %d guess %d of %d: not as expected", tree, guess, s.field(tree))
				}
				if ours != nil {
					passed++
				}
			}
			if passed != 1 {
				t.Errorf("tree %d: %d of 16 guesses passed", tree, passed)
			}
		}
	}
}

// TestManyInconsistentTrees: other choices in every tree, the attack that breaks a check of
// sums over rows (SoftSpokenOT, section 4.1), need all guesses right at once.
func TestManyInconsistentTrees(t *testing.T) {
	const n = 200
	source := rand.New(rand.NewPCG(1, 2))
	for trial := range 20 {
		s, r := sides(t, fieldBits, byte(trial))
		var cheats []otherChoices
		for tree := 1; tree < security/fieldBits; tree++ {
			e := anError(n, source.IntN(n), source.IntN(n), source.IntN(n))
			cheats = append(cheats, otherChoices{tree, e, s.field(tree)})
		}
		wrong := trial % len(cheats)
		if trial%2 == 1 {
			cheats[wrong].guess ^= 1 << (trial % fieldBits)
		}
		if ours, _ := attempt(t, s, r, n, cheats...); (ours != nil) != (trial%2 == 0) {
			t.Errorf("trial %d: not as expected", trial)
		}
	}
}

// TestRightGuessGivesNoPair: a cheat that guessed the bits of one tree knows a shift of the
// rows in which the choices differ, and still only one block of each pair.
func TestRightGuessGivesNoPair(t *testing.T) {
	const n, tree, at = 200, 5, 77
	s, r := sides(t, fieldBits, 3)
	ours, theirs := attempt(t, s, r, n, otherChoices{tree, anError(n, at), s.field(tree)})
	if ours == nil {
		t.Fatal("the right guess was caught")
	}
	for j := range ours.rows {
		want := theirs.rows[j]
		for i := range want {
			want[i] ^= s.delta[i] & -(theirs.choices[j/8] >> (j % 8) & 1)
		}
		if j == at {
			for l := range fieldBits {
				i := tree*fieldBits + l
				want[i/8] ^= s.bit(i) << (i % 8)
			}
		}
		if ours.rows[j] != want {
			t.Fatalf("row %d: the sender's is not what the guess gives", j)
		}
	}
	all := takeAll(t, ours, theirs, n)
	for j, got := range all.got {
		if pair := [2]Block{all.zero[j], all.one[j]}; (got == pair[all.choices[j]]) != (j != at) || got == pair[1-all.choices[j]] {
			t.Errorf("transfer %d: not as expected", j)
		}
	}
}

// TestChangedProofs: no byte of a proof can be changed, and no part of the columns.
func TestChangedProofs(t *testing.T) {
	for at := 0; at < ProofSize; at += 13 {
		s, r := sides(t, fieldBits, 3)
		b := begin(t, s, r, 50, nil)
		_, proof, err := b.receiving.Prove(b.challenge)
		if err != nil {
			t.Fatal(err)
		}
		proof[at] ^= 1 << (at % 8)
		if _, err := b.sending.Verify(proof); !errors.Is(err, ErrProof) {
			t.Errorf("proof changed at %d: %v", at, err)
		}
	}
	for at := 0; at < ColumnsSize(50); at += 37 {
		s, r := sides(t, fieldBits, 3)
		tree := 1 + at/(rowsFor(50)/8)
		b := begin(t, s, r, 50, func(columns []byte) { columns[at] ^= 1 << (at % 8) })
		_, proof, err := b.receiving.Prove(b.challenge)
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.sending.Verify(proof)
		if unseen := s.field(tree) == 0; (err == nil) != unseen || err != nil && !errors.Is(err, ErrProof) {
			t.Errorf("columns changed at %d, bits of the tree all zero: %v: %v", at, unseen, err)
		}
	}
}

// TestProofsOfOthers: a proof serves its own extension and challenge alone.
func TestProofsOfOthers(t *testing.T) {
	s, r := sides(t, fieldBits, 3)
	first, second := begin(t, s, r, 50, nil), begin(t, s, r, 50, nil)
	_, proof, err := first.receiving.Prove(first.challenge)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.sending.Verify(proof); !errors.Is(err, ErrProof) {
		t.Errorf("proof of another extension: %v", err)
	}
	s, r = sides(t, fieldBits, 3)
	b := begin(t, s, r, 50, nil)
	if _, proof, err = b.receiving.Prove(make([]byte, ChallengeSize)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.sending.Verify(proof); !errors.Is(err, ErrProof) {
		t.Errorf("proof for another challenge: %v", err)
	}
}

// TestTagsHideChoices: what the proof says of the choices changes with the last block alone,
// so it is uniform if that is.
func TestTagsHideChoices(t *testing.T) {
	tags, err := newTagger(Block{7})
	if err != nil {
		t.Fatal(err)
	}
	column := make([]byte, 5*BlockSize)
	seen := map[Block]bool{}
	for i := range 1000 {
		column[4*BlockSize], column[4*BlockSize+1] = byte(i), byte(i>>8)
		tag := tags.tag(column)
		if seen[tag] {
			t.Fatal("two values of the last block give the same tag")
		}
		seen[tag] = true
	}
}
