package ot

import (
	"bytes"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"strings"
	"testing"
)

func TestTransfers(t *testing.T) {
	for depth := 1; depth <= 7; depth++ {
		s, r := sides(t, depth, 3)
		for _, n := range []int{1, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1000} {
			ours, theirs := extend(t, s, r, n)
			takeAll(t, ours, theirs, n).check(t)
		}
	}
}

// TestWhole runs base transfers and extensions with nothing dealt.
func TestWhole(t *testing.T) {
	chosen, pairs := based(t, 5)
	r, trees := NewReceiver(pairs)
	s, err := NewSender(chosen, trees)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := extend(t, s, r, 3000)
	all := takeAll(t, ours, theirs, 77)
	all.check(t)
	ones := 0
	for _, c := range all.choices {
		ones += int(c)
	}
	if ones < 1300 || ones > 1700 { // 7 standard deviations
		t.Errorf("%d of 3000 choices are 1", ones)
	}
}

// TestDifferenceOfRows: row by row, the sender's is the receiver's, and the secret difference
// more where the choice is 1.
func TestDifferenceOfRows(t *testing.T) {
	s, r := sides(t, fieldBits, 3)
	var ones int
	for i := range security {
		ones += int(s.bit(i))
	}
	if ones < 30 || ones > 98 {
		t.Errorf("the difference has %d ones", ones)
	}
	ours, theirs := extend(t, s, r, 1000)
	for j := range ours.rows {
		want := theirs.rows[j]
		for i := range want {
			want[i] ^= s.delta[i] & -(theirs.choices[j/8] >> (j % 8) & 1)
		}
		if ours.rows[j] != want {
			t.Fatalf("row %d does not differ as it must", j)
		}
	}
}

// TestTakingInParts: blocks do not depend on how many are taken at once.
func TestTakingInParts(t *testing.T) {
	var whole transfers
	for i, few := range []int{500, 1, 63, 64, 65} {
		s, r := sides(t, fieldBits, 3)
		ours, theirs := extend(t, s, r, 500)
		all := takeAll(t, ours, theirs, few)
		if i == 0 {
			whole = all
		}
		for j := range all.zero {
			if all.zero[j] != whole.zero[j] || all.one[j] != whole.one[j] || all.got[j] != whole.got[j] {
				t.Fatalf("taken %d at a time, transfer %d is another", few, j)
			}
		}
		if err := ours.Take(make([]Block, 1), make([]Block, 1)); !errors.Is(err, ErrUsed) {
			t.Errorf("sender takes more than there are: %v", err)
		}
		if err := theirs.Take(make([]Block, 1), make([]byte, 1)); !errors.Is(err, ErrUsed) {
			t.Errorf("receiver takes more than there are: %v", err)
		}
	}
}

// TestNoMoreThanThereAre: whoever asks for more transfers than are left gets none, and the
// rest is still there.
func TestNoMoreThanThereAre(t *testing.T) {
	s, r := sides(t, fieldBits, 3)
	ours, theirs := extend(t, s, r, 10)
	var first transfers
	first.zero, first.one, first.got, first.choices = make([]Block, 6), make([]Block, 6), make([]Block, 6), make([]byte, 6)
	if err := errors.Join(ours.Take(first.zero, first.one), theirs.Take(first.got, first.choices)); err != nil {
		t.Fatal(err)
	}
	first.check(t)
	for range 2 {
		blocks := make([]Block, 5)
		if err := ours.Take(blocks, make([]Block, 5)); !errors.Is(err, ErrUsed) || blocks[0] != (Block{}) {
			t.Errorf("sender takes 5 of 4: %v", err)
		}
		if err := theirs.Take(blocks, make([]byte, 5)); !errors.Is(err, ErrUsed) || blocks[0] != (Block{}) {
			t.Errorf("receiver takes 5 of 4: %v", err)
		}
	}
	takeAll(t, ours, theirs, 4).check(t)
}

// TestBlocksAreDefined recomputes blocks from rows as the specification says, through several
// keys of the hash.
func TestBlocksAreDefined(t *testing.T) {
	s, r := sides(t, fieldBits, 3)
	const n = 200
	b := begin(t, s, r, n, nil)
	theirs, proof, err := b.receiving.Prove(b.challenge)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := b.sending.Verify(proof)
	if err != nil {
		t.Fatal(err)
	}
	rows := append([]Block(nil), ours.rows...)
	all := takeAll(t, ours, theirs, n)
	stream := make([]byte, (6+(n+63)/64)*BlockSize)
	key := derive(hashKeyLabel, &s.id, 0, b.challenge)
	cipher.NewCTR(newAES(&key), make([]byte, BlockSize)).XORKeyStream(stream, stream)
	block := func(i int) Block { return Block(stream[i*BlockSize:]) }
	plus := func(a, b Block) (c Block) {
		for i := range c {
			c[i] = a[i] ^ b[i]
		}
		return c
	}
	for j, row := range rows {
		for bit := range 6 {
			if j%64>>bit&1 == 1 {
				row = plus(row, block(bit))
			}
		}
		key := block(6 + j/64)
		for x, z := range []Block{row, plus(row, s.delta)} {
			var want Block
			newAES(&key).Encrypt(want[:], z[:])
			if got := []Block{all.zero[j], all.one[j]}[x]; got != plus(want, z) {
				t.Fatalf("transfer %d: block %d is not as defined", j, x)
			}
		}
	}
}

// TestNothingRepeats: no block of any extension of any session comes twice, whatever is
// equal between them.
func TestNothingRepeats(t *testing.T) {
	seen := map[Block]string{}
	for session := range byte(3) {
		chosen, pairs := dealt(1)
		chosen.session[5], pairs.session[5] = session, session
		r, trees := NewReceiver(pairs)
		s, err := NewSender(chosen, trees)
		if err != nil {
			t.Fatal(err)
		}
		for extension := range 3 {
			ours, theirs := extend(t, s, r, 300)
			all := takeAll(t, ours, theirs, 300)
			for i := range all.zero {
				for x, b := range []Block{all.zero[i], all.one[i]} {
					here := fmt.Sprint(session, extension, i, x)
					if before, ok := seen[b]; ok {
						t.Fatalf("block %s came before as %s", here, before)
					}
					seen[b] = here
				}
			}
		}
	}
}

// TestOverlappingExtensions: extensions under way do not disturb each other, whatever the
// order in which they end.
func TestOverlappingExtensions(t *testing.T) {
	s, r := sides(t, fieldBits, 3)
	begun := []begun{begin(t, s, r, 300, nil), begin(t, s, r, 100, nil), begin(t, s, r, 700, nil)}
	for _, i := range []int{2, 0, 1} {
		theirs, proof, err := begun[i].receiving.Prove(begun[i].challenge)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := begun[i].sending.Verify(proof)
		if err != nil {
			t.Fatal(err)
		}
		begun = append(begun, begin(t, s, r, 200+i, nil))
		takeAll(t, ours, theirs, 64).check(t)
	}
}

func TestExtensionRefusesLengths(t *testing.T) {
	s, r := sides(t, fieldBits, 3)
	for _, n := range []int{-1, 0, MaxExtension + 1} {
		if _, _, err := r.Extend(n); !errors.Is(err, ErrSize) {
			t.Errorf("receiver extends by %d: %v", n, err)
		}
		if _, _, err := s.Extend(n, nil, random(1)); !errors.Is(err, ErrSize) {
			t.Errorf("sender extends by %d: %v", n, err)
		}
	}
	if s.ended || r.ended {
		t.Fatal("a caller's mistake ended the session")
	}
	for name, wrong := range map[string]func([]byte) []byte{
		"none":          func([]byte) []byte { return nil },
		"one byte less": func(b []byte) []byte { return b[:len(b)-1] },
		"one byte more": func(b []byte) []byte { return append(b[:len(b):len(b)], 0) },
	} {
		s, r := sides(t, fieldBits, 3)
		_, columns, err := r.Extend(10)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Extend(10, wrong(columns), random(1)); !errors.Is(err, ErrSize) || !s.ended {
			t.Errorf("columns, %s: %v, ended: %v", name, err, s.ended)
		}
		s, r = sides(t, fieldBits, 3)
		b := begin(t, s, r, 10, nil)
		if _, _, err := b.receiving.Prove(wrong(b.challenge)); !errors.Is(err, ErrSize) || !r.ended {
			t.Errorf("challenge, %s: %v, ended: %v", name, err, r.ended)
		}
		s, r = sides(t, fieldBits, 3)
		b = begin(t, s, r, 10, nil)
		_, proof, err := b.receiving.Prove(b.challenge)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.sending.Verify(wrong(proof)); !errors.Is(err, ErrSize) || !s.ended {
			t.Errorf("proof, %s: %v, ended: %v", name, err, s.ended)
		}
	}
}

// TestEndIsForGood: after a fault nothing of the session does anything, transfers that were
// there before included.
func TestEndIsForGood(t *testing.T) {
	s, r := sides(t, fieldBits, 3)
	ours, theirs := extend(t, s, r, 10)
	next := begin(t, s, r, 10, nil)
	spoiled := begin(t, s, r, 10, nil)
	if _, err := spoiled.sending.Verify(make([]byte, ProofSize)); !errors.Is(err, ErrProof) {
		t.Fatal(err)
	}
	if _, _, err := spoiled.receiving.Prove(nil); !errors.Is(err, ErrSize) {
		t.Fatal(err)
	}
	errs := map[string]error{
		"sender takes":   ours.Take(make([]Block, 1), make([]Block, 1)),
		"receiver takes": theirs.Take(make([]Block, 1), make([]byte, 1)),
	}
	_, _, errs["sender extends"] = s.Extend(10, next.columns, random(1))
	_, _, errs["receiver extends"] = r.Extend(10)
	_, errs["sender verifies"] = next.sending.Verify(make([]byte, ProofSize))
	_, _, errs["receiver proves"] = next.receiving.Prove(next.challenge)
	for name, err := range errs {
		if !errors.Is(err, ErrEnded) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStepsOnce(t *testing.T) {
	s, r := sides(t, fieldBits, 3)
	b := begin(t, s, r, 10, nil)
	_, proof, err := b.receiving.Prove(b.challenge)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.receiving.Prove(b.challenge); !errors.Is(err, ErrUsed) {
		t.Errorf("second proof: %v", err)
	}
	if _, err := b.sending.Verify(proof); err != nil {
		t.Fatal(err)
	}
	if _, err := b.sending.Verify(proof); !errors.Is(err, ErrUsed) {
		t.Errorf("second check: %v", err)
	}
	ours, theirs := extend(t, s, r, 10)
	if err := ours.Take(make([]Block, 2), make([]Block, 3)); !errors.Is(err, ErrSize) {
		t.Errorf("sender takes unequal lengths: %v", err)
	}
	if err := theirs.Take(make([]Block, 2), make([]byte, 3)); !errors.Is(err, ErrSize) {
		t.Errorf("receiver takes unequal lengths: %v", err)
	}
	_, columns, err := r.Extend(10)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Extend(10, columns, bytes.NewReader(make([]byte, ChallengeSize-1))); !errors.Is(err, ErrRandom) {
		t.Errorf("challenge without randomness: %v", err)
	}
}

func TestSecretsPrintNothing(t *testing.T) {
	chosen, pairs := dealt(1)
	s, r := sides(t, fieldBits, 1)
	b := begin(t, s, r, 10, nil)
	ours, theirs := extend(t, s, r, 10)
	c, err := NewBaseChooser([SessionSize]byte{1}, Choices{}, random(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{
		Block{1}, Choices{bits: Block{1}}, *chosen, *pairs, *c, *s, *r, *b.sending, *b.receiving, *ours, *theirs,
		chosen, pairs, c, s, r, b.sending, b.receiving, ours, theirs,
	} {
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		for _, out := range []string{fmt.Sprint(v), fmt.Sprintf("%+v", v), fmt.Sprintf("%#v", v), fmt.Sprintf("%x", v), string(text)} {
			if strings.Trim(out, `"`) != secretText {
				t.Errorf("%T prints %.80s", v, out)
			}
		}
		if !strings.Contains(log.String(), "v="+secretText) {
			t.Errorf("%T logs %.80s", v, log.String())
		}
	}
}

// TestBlocksLookUniform: each of the 128 bits of the blocks is 1 about half of the time.
func TestBlocksLookUniform(t *testing.T) {
	s, r := sides(t, fieldBits, 3)
	const n = 4096
	ours, theirs := extend(t, s, r, n)
	all := takeAll(t, ours, theirs, n)
	for name, blocks := range map[string][]Block{"zero": all.zero, "one": all.one} {
		var ones [security]int
		for _, b := range blocks {
			for i := range ones {
				ones[i] += bits.OnesCount8(b[i/8] & (1 << (i % 8)))
			}
		}
		for i, k := range ones { // standard deviation 32
			if k < n/2-224 || k > n/2+224 {
				t.Errorf("%s: bit %d is 1 in %d of %d blocks", name, i, k, n)
			}
		}
	}
}
