package compare

import (
	"math/rand/v2"
	"testing"

	"entente/crypto/ot"
)

// TestCarries: the tables of all digits, against the definition.
func TestCarries(t *testing.T) {
	for a := range uint16(32) {
		table := carries(a)
		for b := range uint16(32) {
			g, p := table>>b&1 == 1, table>>(32+b)&1 == 1
			if g != (a+b >= 32) || p != (a+b == 31) {
				t.Errorf("digits %d and %d: g %v, p %v", a, b, g, p)
			}
		}
	}
}

// TestMove: each entry goes where it must, for all distances.
func TestMove(t *testing.T) {
	source := rand.New(rand.NewPCG(1, 2))
	for by := range uint16(32) {
		table := source.Uint64()
		moved := move(table, by)
		for j := range uint16(32) {
			for half := uint16(0); half < 64; half += 32 {
				if moved>>(half+j^by)&1 != table>>(half+j)&1 {
					t.Errorf("entry %d by %d", j, by)
				}
			}
		}
	}
}

// TestCombining: the table for all indices.
func TestCombining(t *testing.T) {
	for index := range 16 {
		bit := func(i int) int { return index >> i & 1 }
		want := bit(shareP2) & (bit(shareG1) ^ bit(shareP1)&bit(shareG0))
		if combining>>index&1 != want {
			t.Errorf("index %04b", index)
		}
	}
}

// TestCarryOfDigits: digits and combination give the carry of the sum of fifteen bits.
func TestCarryOfDigits(t *testing.T) {
	source := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		x, y := uint16(source.Uint32()&0x7fff), uint16(source.Uint32()&0x7fff)
		if source.IntN(2) == 0 { // digits that hand carries on
			y = ^x&0x7fff ^ 1<<source.IntN(15)
		}
		var g, p [digits]int
		for d := range digits {
			table, b := carries(x>>(d*digitBits)&31), y>>(d*digitBits)&31
			g[d], p[d] = int(table>>b&1), int(table>>(32+b)&1)
		}
		index := g[0]<<shareG0 | p[1]<<shareP1 | g[1]<<shareG1 | p[2]<<shareP2
		if carry := g[2] ^ combining>>index&1; carry != int((x+y)>>15) {
			t.Fatalf("%d + %d: carry %d", x, y, carry)
		}
	}
}

// TestPads: the pad of an entry is the sum of the pads for it in the blocks that its index
// names, and that is what the side with these blocks computes; it does not know the pad of
// any other entry.
func TestPads(t *testing.T) {
	source := rand.NewChaCha8([32]byte{1})
	for _, width := range []int{topBits, digitBits} {
		zero, one, known := make([]ot.Block, width), make([]ot.Block, width), make([]ot.Block, width)
		for i := range zero {
			source.Read(zero[i][:])
			source.Read(one[i][:])
		}
		all := pads(zero, one)
		for j := range 1 << width {
			for i := range known {
				known[i] = [2]ot.Block{zero[i], one[i]}[j>>i&1]
			}
			ours := sumPads(known)
			if (ours^all)>>j&1 != 0 || width == digitBits && (ours^all)>>(32+j)&1 != 0 {
				t.Errorf("%d bits: pad of entry %d", width, j)
			}
			// One other block changes about half of the pads, of both halves.
			known[0] = ot.Block{}
			if sumPads(known) == ours {
				t.Errorf("%d bits: a block of entry %d does not matter", width, j)
			}
		}
	}
}

// TestBits: packing and its refusals.
func TestBits(t *testing.T) {
	for n := 1; n < 40; n++ {
		own := make([]byte, n)
		theirs := make([]byte, n)
		for i := range own {
			own[i], theirs[i] = byte(i%2), byte(i/2%2)
		}
		packed := appendBits([]byte{9}, theirs)[1:]
		bits, err := outcomes(own, packed)
		if err != nil {
			t.Fatal(err)
		}
		for i := range bits {
			if bits[i] != (own[i] != theirs[i]) {
				t.Errorf("%d bits: bit %d", n, i)
			}
		}
	}
}
