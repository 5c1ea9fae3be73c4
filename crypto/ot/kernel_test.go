package ot

import (
	"crypto/aes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// TestHashKernel: every row hash of this machine gives what crypto/aes gives.
func TestHashKernel(t *testing.T) {
	source := rand.NewChaCha8([32]byte{1})
	for n := range 70 {
		rows, offsets, got, want := make([]Block, n), make([]Block, n), make([]Block, n+1), make([]Block, n+1)
		for i := range rows {
			source.Read(rows[i][:])
			source.Read(offsets[i][:])
		}
		var key Block
		source.Read(key[:])
		fast, generic := newRowHash(), new(genericHash)
		fast.setKey(&key)
		generic.setKey(&key)
		fast.hash(got[:n], rows, offsets)
		generic.hash(want[:n], rows, offsets)
		for i := range got { // the one after the last must stay as it was
			if got[i] != want[i] {
				t.Fatalf("%d rows: row %d hashes to something else", n, i)
			}
		}
		block, err := aes.NewCipher(key[:])
		if err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			var z, direct Block
			for k := range z {
				z[k] = rows[i][k] ^ offsets[i][k]
			}
			block.Encrypt(direct[:], z[:])
			for k := range z {
				direct[k] ^= z[k]
			}
			if direct != want[i] {
				t.Fatalf("row %d is not AES(z) + z", i)
			}
		}
	}
}

// TestTurn: each bit of each row is that of its column, for kernel and generic code.
func TestTurn(t *testing.T) {
	source := rand.NewChaCha8([32]byte{2})
	for _, n := range []int{1, 64, 128, 200, 256, 320, 512, 700, 1024, 1100} {
		m := &matrix{rowsFor(n), make([]byte, security*rowsFor(n)/8)}
		source.Read(m.bits)
		rows := make([]Block, (n+63)/64*64)
		m.turn(rows)
		for j := range rows {
			for i := range security {
				if want := m.column(i)[j/8] >> (j % 8) & 1; rows[j][i/8]>>(i%8)&1 != want {
					t.Fatalf("%d rows: bit %d of row %d", n, i, j)
				}
			}
		}
		generic := make([]Block, len(rows))
		m.turnFrom(0, generic)
		for j := range rows {
			if generic[j] != rows[j] {
				t.Fatalf("%d rows: row %d differs from the generic one", n, j)
			}
		}
	}
}

// TestFold: columns and sum are those of the definition, with all leaves and without the one
// at place 0.
func TestFold(t *testing.T) {
	for depth := 1; depth <= 7; depth++ {
		seeds := make([]Block, 1<<depth)
		for x := range seeds {
			seeds[x] = Block{byte(x), byte(depth)}
		}
		for _, size := range []int{32, piece - 16, piece, piece + 16, 3*piece + 48} {
			e, without, plain := newStreams([][]Block{seeds}), newStreams([][]Block{seeds}), newStreams([][]Block{seeds})
			for range 2 { // the streams go on
				sum, columns, blind := make([]byte, size), make([][]byte, depth), make([][]byte, depth)
				for l := range columns {
					columns[l], blind[l] = make([]byte, size), make([]byte, size)
					rand.NewChaCha8([32]byte{9}).Read(columns[l]) // what was there does not matter
				}
				e.expand(0, sum, columns)
				without.expand(0, nil, blind)
				wantSum, want := make([]byte, size), make([][]byte, depth)
				for l := range want {
					want[l] = make([]byte, size)
				}
				for x := range seeds {
					leaf := make([]byte, size)
					plain.leaves[0][x].XORKeyStream(leaf, leaf)
					for i, b := range leaf {
						wantSum[i] ^= b
						for l := range want {
							want[l][i] ^= b & -byte(x>>(depth-1-l)&1)
						}
					}
				}
				for l := range want {
					if string(columns[l]) != string(want[l]) || string(blind[l]) != string(want[l]) {
						t.Fatalf("depth %d size %d: column %d", depth, size, l)
					}
				}
				if string(sum) != string(wantSum) {
					t.Fatalf("depth %d size %d: sum", depth, size)
				}
			}
		}
	}
}

// TestAddIf adds or not, and leaves what is longer alone.
func TestAddIf(t *testing.T) {
	a := make([]byte, 32)
	b := make([]byte, 48)
	for i := range b {
		b[i] = byte(i + 1)
	}
	addIf(0, a, b)
	if string(a) != string(make([]byte, 32)) {
		t.Error("added without the bit")
	}
	addIf(1, a, b)
	if string(a) != string(b[:32]) {
		t.Error("not added with the bit")
	}
}

// times multiplies in the field of GHASH bit by bit, as NIST SP 800-38D section 6.3 does.
func times(x, y Block) Block {
	var z Block
	v := y
	for i := range 128 {
		if x[i/8]>>(7-i%8)&1 == 1 {
			for k := range z {
				z[k] ^= v[k]
			}
		}
		high, low := binary.BigEndian.Uint64(v[:]), binary.BigEndian.Uint64(v[8:])
		out := low & 1
		low, high = low>>1|high<<63, high>>1^out*0xe1<<56
		binary.BigEndian.PutUint64(v[:], high)
		binary.BigEndian.PutUint64(v[8:], low)
	}
	return z
}

// TestTagIsGHASH: differences of tags are what the package says they are, the polynomial in
// the hash key without a constant.
func TestTagIsGHASH(t *testing.T) {
	source := rand.NewChaCha8([32]byte{3})
	var key, h Block
	source.Read(key[:])
	newAES(&key).Encrypt(h[:], h[:])
	tags, err := newTagger(key)
	if err != nil {
		t.Fatal(err)
	}
	a, b := make([]byte, 5*BlockSize), make([]byte, 5*BlockSize)
	source.Read(a)
	source.Read(b)
	got, other, zero := tags.tag(a), tags.tag(b), tags.tag(make([]byte, len(a)))
	var want Block
	for i := 0; i < len(a); i += BlockSize {
		for k := range want {
			want[k] ^= a[i+k] ^ b[i+k]
		}
		want = times(want, h)
	}
	want = times(want, h) // and the block with the length, which is the same
	sum := make([]byte, len(a))
	for i := range sum {
		sum[i] = a[i] ^ b[i]
	}
	both := tags.tag(sum)
	for k := range want {
		if got[k]^other[k] != want[k] || got[k]^other[k]^zero[k] != both[k] {
			t.Fatal("tags are not GHASH and a constant")
		}
	}
}

// TestOffsets: the 64 offsets of a key are all different, and sums of the six blocks; no key
// comes twice.
func TestOffsets(t *testing.T) {
	seen := map[Block]bool{}
	for extension := range uint64(3) {
		for session := range byte(3) {
			h := newHasher(derive(hashKeyLabel, &[SessionSize]byte{session}, extension, make([]byte, ChallengeSize)), Block{}, Block{1})
			here := map[Block]bool{}
			for i, o := range h.offsets[0] {
				var sum Block
				for bit := range 6 {
					if i>>bit&1 == 1 {
						for k := range sum {
							sum[k] ^= h.offsets[0][1<<bit][k]
						}
					}
				}
				if o != sum || here[o] {
					t.Fatalf("offset %d is not the sum that it must be, or comes twice", i)
				}
				here[o] = true
				o[0] ^= 1
				if h.offsets[1][i] != o {
					t.Fatalf("offset %d is not shifted", i)
				}
			}
			for range 100 {
				key := h.block()
				if seen[key] {
					t.Fatal("a key comes twice")
				}
				seen[key] = true
			}
		}
	}
}
