package compare

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"

	"entente/crypto/ot"
)

// histogram refuses counts of equally likely values that are further from the mean than six
// standard deviations.
func histogram(t *testing.T, what string, counts []int) {
	t.Helper()
	total := 0
	for _, c := range counts {
		total += c
	}
	mean := float64(total) / float64(len(counts))
	for v, c := range counts {
		if d := float64(c) - mean; d*d > 36*mean {
			t.Errorf("%s: value %d comes %d times of %d, expected %.0f", what, v, c, total, mean)
		}
	}
}

// same returns n pairs with one score and random shares, or the same shares.
func same(n, score int, fixed bool) *pairs {
	source := rand.New(rand.NewPCG(3, uint64(score)))
	p := &pairs{}
	for range n {
		x := uint16(source.Uint32())
		if fixed {
			x = 0x1234
		}
		p.add(x, score)
	}
	return p
}

// TestWhoIsNotNamedLearnsNothing: whatever the bit is, all that reaches a side which is not
// named is uniform: a chooser's shares, a sender's choices. The other side's share of the bit
// never reaches it.
func TestWhoIsNotNamedLearnsNothing(t *testing.T) {
	const n = MaxChunk
	s, h := start(t, Parameters{Learns: SenderLearns})
	s2, h2 := start(t, Parameters{Learns: ChooserLearns})
	for _, score := range []int{-2, -1, 0, 1, 500} {
		for _, fixed := range []bool{false, true} {
			p := same(n, score, fixed)
			u := openBoth(t, s, h, p.x, p.y)
			known := make([]int, 32)
			inner := make([]byte, n)
			for i, step := range u.steps() {
				if err := step(); err != nil {
					t.Fatal(err)
				}
				if i == 2 { // the shares of g0, p1, g1, p2 are what its choices hide
					for j := range inner {
						inner[j] = u.combining[j/2]>>(j%2*4)&15 ^ byte(u.theirs.indices[j])
					}
				}
			}
			for j, share := range u.theirs.shares {
				known[inner[j]|share<<4]++
			}
			histogram(t, "what the chooser knows", known)
			if u.chooser != nil || len(u.last) != topSize*n {
				t.Error("the chooser got the sender's shares")
			}

			o := run(t, s2, h2, p.x, p.y)
			var low, middle, high, top, shares [32]int
			for j := range n {
				c := binary.BigEndian.Uint16(o.choices[ot.ProofSize+2*j:])
				low[c&31]++
				middle[c>>5&31]++
				high[c>>10]++
				top[o.combining[j/2]>>(j%2*4)&15]++
				shares[o.last[topSize*n+j/8]>>(j%8)&1]++
			}
			histogram(t, "lowest choices", low[:])
			histogram(t, "middle choices", middle[:])
			histogram(t, "highest choices", high[:])
			histogram(t, "combining choices", top[:16])
			histogram(t, "shares of the sender", shares[:2])
			if o.sender != nil || o.shares != nil {
				t.Error("the sender got the chooser's shares")
			}
		}
	}
}

// TestChangedMessages: what is not protected against cheats can make the bits of its own pair
// wrong, and nothing else; spare bits are refused.
func TestChangedMessages(t *testing.T) {
	const n = 9
	s, h := start(t, Parameters{Learns: BothLearn})
	for _, c := range []struct {
		name    string
		step    int // that reads the message
		message func(*under) []byte
		from    int // where pairs begin
		bits    int // for each pair
	}{
		{"choices", 1, func(u *under) []byte { return u.choices }, 8 * ot.ProofSize, 16},
		{"tables", 2, func(u *under) []byte { return u.tables }, 0, 8 * tableSize},
		{"combining choices", 3, func(u *under) []byte { return u.combining }, 0, 4},
		{"last tables", 4, func(u *under) []byte { return u.last }, 0, 8 * topSize},
		{"sender's shares", 4, func(u *under) []byte { return u.last }, 8 * topSize * n, 1},
		{"chooser's shares", 5, func(u *under) []byte { return u.shares }, 0, 1},
	} {
		changed := 0
		for at := c.from; at < c.from+c.bits*n; at++ {
			p := same(n, at%3-1, false)
			u := openBoth(t, s, h, p.x, p.y)
			var failed error
			for i, step := range u.steps() {
				if i == c.step {
					c.message(u)[at/8] ^= 1 << (at % 8)
				}
				if failed = step(); failed != nil {
					break
				}
			}
			if failed != nil {
				if c.name != "choices" || at%16 != 7 || !errors.Is(failed, ErrMalformed) || !s.ended {
					t.Fatalf("%s changed at bit %d: %v", c.name, at, failed)
				}
				s.ended = false // the transfers have not failed
				continue
			}
			for i := range n {
				want := int16(p.x[i]+p.y[i]) >= 0
				if u.sender[i] == want && u.chooser[i] == want {
					continue
				}
				if changed++; i != (at-c.from)/c.bits {
					t.Errorf("%s changed at bit %d: pair %d is wrong", c.name, at, i)
				}
			}
		}
		if changed == 0 {
			t.Errorf("%s: no change had an effect: the test changes nothing", c.name)
		}
	}
}

// TestSpareBits: bits after the last pair must be zero.
func TestSpareBits(t *testing.T) {
	s, h := start(t, Parameters{Learns: BothLearn})
	for step, change := range map[int]func(*under){
		1: func(u *under) { u.choices[len(u.choices)-2] |= 0x80 },
		3: func(u *under) { u.combining[len(u.combining)-1] |= 0x10 },
		4: func(u *under) { u.last[len(u.last)-1] |= 0x08 },
		5: func(u *under) { u.shares[len(u.shares)-1] |= 0x80 },
	} {
		u := openBoth(t, s, h, []uint16{1, 2, 3}, []uint16{4, 5, 6})
		steps := u.steps()
		for _, before := range steps[:step] {
			if err := before(); err != nil {
				t.Fatal(err)
			}
		}
		change(u)
		if err := steps[step](); !errors.Is(err, ErrMalformed) {
			t.Errorf("step %d: %v", step, err)
		}
		if reader := []bool{h.ended, s.ended}[step%2]; !reader {
			t.Errorf("step %d: the session goes on", step)
		}
		s.ended, h.ended = false, false // the transfers have not failed
	}
}

// TestWrongLengths: every message with a byte less, a byte more, or none is refused, and ends
// the session.
func TestWrongLengths(t *testing.T) {
	for name, wrong := range map[string]func([]byte) []byte{
		"none":          func([]byte) []byte { return nil },
		"one byte less": func(b []byte) []byte { return b[:len(b)-1] },
		"one byte more": func(b []byte) []byte { return append(b[:len(b):len(b)], 0) },
	} {
		p := Parameters{Learns: BothLearn}
		s, request, err := NewSender(p, random(1))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := NewChooser(p, wrong(request), random(2)); !errors.Is(err, ErrSize) {
			t.Errorf("request, %s: %v", name, err)
		}
		_, reply, err := NewChooser(p, request, random(2))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Start(wrong(reply)); !errors.Is(err, ErrSize) || !s.ended {
			t.Errorf("reply, %s: %v", name, err)
		}
		if s, _, err = NewSender(p, random(1)); err != nil {
			t.Fatal(err)
		}
		h, reply, err := NewChooser(p, request, random(2))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Start(reply); err != nil {
			t.Fatal(err)
		}
		wrongInChunk(t, s, h, name, wrong)
		_, columns, err := h.Open([]uint16{1, 2, 3})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Open([]uint16{1, 2, 3}, wrong(columns)); !errors.Is(err, ErrSize) || !s.ended {
			t.Errorf("columns, %s: %v", name, err)
		}
		s, h = start(t, p)
		u := openBoth(t, s, h, []uint16{1, 2, 3}, []uint16{4, 5, 6})
		u.challenge = wrong(u.challenge)
		if err := u.steps()[0](); !errors.Is(err, ErrSize) || !h.ended {
			t.Errorf("challenge, %s: %v", name, err)
		}
	}
}

// wrongInChunk changes the messages of a chunk whose length is not that of one of transfers.
func wrongInChunk(t *testing.T, s *Sender, h *Chooser, name string, wrong func([]byte) []byte) {
	t.Helper()
	for i, message := range []func(*under) *[]byte{
		func(u *under) *[]byte { return &u.choices }, func(u *under) *[]byte { return &u.tables },
		func(u *under) *[]byte { return &u.combining }, func(u *under) *[]byte { return &u.last },
		func(u *under) *[]byte { return &u.shares },
	} {
		step := 1 + i
		u := openBoth(t, s, h, []uint16{1, 2, 3}, []uint16{4, 5, 6})
		steps := u.steps()
		for _, before := range steps[:step] {
			if err := before(); err != nil {
				t.Fatal(err)
			}
		}
		*message(u) = wrong(*message(u))
		if err := steps[step](); !errors.Is(err, ErrSize) {
			t.Errorf("step %d, %s: %v", step, name, err)
		}
		if err := steps[step](); !errors.Is(err, ErrEnded) {
			t.Errorf("step %d, %s, again: %v", step, name, err)
		}
		s.ended, h.ended = false, false // the transfers have not failed
	}
}

// TestTransfersAreProtected: a change of columns, challenge or proof is caught by the sender.
func TestTransfersAreProtected(t *testing.T) {
	for name, change := range map[string]func(*under){
		"challenge": func(u *under) { u.challenge[3] ^= 1 },
		"proof":     nil,
	} {
		s, h := start(t, Parameters{Learns: BothLearn})
		u := openBoth(t, s, h, []uint16{1, 2, 3}, []uint16{4, 5, 6})
		if change != nil {
			change(u)
		}
		steps := u.steps()
		if err := steps[0](); err != nil {
			t.Fatal(err)
		}
		if change == nil {
			u.choices[100] ^= 1
		}
		if err := steps[1](); !errors.Is(err, ot.ErrProof) || !s.ended {
			t.Errorf("%s changed: %v", name, err)
		}
	}
	s, h := start(t, Parameters{Learns: BothLearn})
	u := &under{s: s}
	var err error
	if u.theirs, u.columns, err = h.Open([]uint16{1}); err != nil {
		t.Fatal(err)
	}
	for i := range u.columns { // in all trees; a sender's bits are not all zero
		u.columns[i] ^= 1
	}
	if u.ours, u.challenge, err = s.Open([]uint16{1}, u.columns); err != nil {
		t.Fatal(err)
	}
	if err := u.steps()[0](); err != nil {
		t.Fatal(err)
	}
	if err := u.steps()[1](); !errors.Is(err, ot.ErrProof) || !s.ended {
		t.Errorf("columns changed: %v", err)
	}
}

// TestCheatingChooser: other choices are another y, no more: the bit is that of x and the
// other y.
func TestCheatingChooser(t *testing.T) {
	s, h := start(t, Parameters{Threshold: 40, Learns: ChooserLearns})
	source := rand.New(rand.NewPCG(1, 2))
	const n = 500
	x, y := make([]uint16, n), make([]uint16, n)
	other := make([]uint16, n)
	for i := range x {
		x[i], y[i] = uint16(source.Uint32()), uint16(source.Uint32())
		other[i] = y[i]&0x8000 | uint16(source.Uint32()&0x7fff)
	}
	u := openBoth(t, s, h, x, y)
	for i, step := range u.steps() {
		if i == 1 {
			for j := range y {
				at := u.choices[ot.ProofSize+2*j:]
				binary.BigEndian.PutUint16(at, binary.BigEndian.Uint16(at)^y[j]^other[j])
			}
		}
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range x {
		if want := int16(x[i]+other[i]-40) >= 0; u.chooser[i] != want {
			t.Errorf("pair %d", i)
		}
	}
}

// TestCheatingSender: a sender that puts another function into its tables learns that
// function of the chooser's digits instead of the comparison: one bit, here the lowest of y.
func TestCheatingSender(t *testing.T) {
	s, h := start(t, Parameters{Learns: SenderLearns})
	const n = 100
	x, y := make([]uint16, n), make([]uint16, n)
	for i := range y {
		y[i] = uint16(i * 40503)
	}
	u := openBoth(t, s, h, x, y)
	if err := u.steps()[0](); err != nil {
		t.Fatal(err)
	}
	var err error
	if u.ours.pads, err = u.ours.sending.Verify(u.choices[:ot.ProofSize]); err != nil {
		t.Fatal(err)
	}
	u.ours.next, u.ours.shares = 2, make([]byte, n)
	zero, one := make([]ot.Block, n*inputBits), make([]ot.Block, n*inputBits)
	if err := u.ours.pads.Take(zero, one); err != nil {
		t.Fatal(err)
	}
	for i := range y {
		by := binary.BigEndian.Uint16(u.choices[ot.ProofSize+2*i:])
		// g0 is the lowest bit; the other digits carry nothing and hand everything on.
		for digit, table := range []uint64{places(0), 0xffffffff << 32, 0xffffffff << 32} {
			from := i*inputBits + digit*digitBits
			table = move(table, by>>(digit*digitBits)&31) ^ pads(zero[from:from+digitBits], one[from:from+digitBits])
			u.tables = binary.BigEndian.AppendUint32(u.tables, uint32(table))
			if digit > 0 {
				u.tables = binary.BigEndian.AppendUint32(u.tables, uint32(table>>32))
			}
		}
	}
	for _, step := range u.steps()[2:] {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range y {
		carry := y[i]&1 == 1
		if top := y[i]>>15 == 1; u.sender[i] != (carry == top) { // 1 + y15 + carry
			t.Errorf("pair %d: the sender does not learn the lowest bit of y", i)
		}
	}
}

// FuzzSender: no choices make the sender do more than fail by name.
func FuzzSender(f *testing.F) {
	s, h := start(f, Parameters{Learns: BothLearn})
	o := run(f, s, h, []uint16{1, 2, 3}, []uint16{4, 5, 6})
	f.Add(o.choices[ot.ProofSize:], o.combining, o.shares)
	f.Add([]byte{}, []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, choices, combining, shares []byte) {
		s.ended = false
		s.random = random(4)
		u := openBoth(t, s, h, []uint16{1, 2, 3}, []uint16{4, 5, 6})
		if err := u.steps()[0](); err != nil {
			t.Fatal(err)
		}
		_, err := u.ours.Tables(append(u.choices[:ot.ProofSize:ot.ProofSize], choices...))
		if err == nil {
			_, err = u.ours.Combine(combining)
		}
		if err == nil {
			_, err = u.ours.Finish(shares)
		}
		if err != nil && !errors.Is(err, ErrSize) && !errors.Is(err, ErrMalformed) || s.ended != (err != nil) {
			t.Errorf("%v, ended: %v", err, s.ended)
		}
	})
}

// FuzzChooser: no tables make the chooser do more than fail by name.
func FuzzChooser(f *testing.F) {
	s, h := start(f, Parameters{Learns: BothLearn})
	o := run(f, s, h, []uint16{1, 2, 3}, []uint16{4, 5, 6})
	f.Add(o.tables, o.last)
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, tables, last []byte) {
		h.ended = false
		u := openBoth(t, s, h, []uint16{1, 2, 3}, []uint16{4, 5, 6})
		if err := u.steps()[0](); err != nil {
			t.Fatal(err)
		}
		_, err := u.theirs.Combine(tables)
		if err == nil {
			var bits []bool
			if bits, _, err = u.theirs.Finish(last); err == nil && len(bits) != 3 {
				t.Errorf("%d bits of 3 pairs", len(bits))
			}
		}
		if err != nil && !errors.Is(err, ErrSize) && !errors.Is(err, ErrMalformed) || h.ended != (err != nil) {
			t.Errorf("%v, ended: %v", err, h.ended)
		}
	})
}
