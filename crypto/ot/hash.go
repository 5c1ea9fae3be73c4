package ot

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
)

// perKey is how many transfers share a key of the hash. An attacker that computes p blocks of
// AES finds one of the unknown blocks with a probability of at most perKey·p/2^128. A key for
// each transfer would give six bits more, and cost some 30 ns for its expansion in place of one
// half.
const perKey = 64

// rowHash is the hash of rows under one key of AES: for z = row + offset it is AES(z) + z.
type rowHash interface {
	setKey(key *Block)
	hash(out, rows, offsets []Block)
}

// genericHash hashes rows with crypto/aes.
type genericHash struct {
	block cipher.Block
	z     Block
}

func (h *genericHash) setKey(key *Block) { h.block = newAES(key) }

func (h *genericHash) hash(out, rows, offsets []Block) {
	for i := range out {
		low := binary.LittleEndian.Uint64(rows[i][:]) ^ binary.LittleEndian.Uint64(offsets[i][:])
		high := binary.LittleEndian.Uint64(rows[i][8:]) ^ binary.LittleEndian.Uint64(offsets[i][8:])
		binary.LittleEndian.PutUint64(h.z[:], low)
		binary.LittleEndian.PutUint64(h.z[8:], high)
		o := out[i][:]
		h.block.Encrypt(o, h.z[:])
		binary.LittleEndian.PutUint64(o, low^binary.LittleEndian.Uint64(o))
		binary.LittleEndian.PutUint64(o[8:], high^binary.LittleEndian.Uint64(o[8:]))
	}
}

// hasher breaks the correlation between the rows of the two sides. Row j with content x
// becomes
//
//	AES(K, z) + z   for z = x + s(j mod 64), K = key j/64,
//
// the construction of Matyas, Meyer and Oseas, which is correlation robust in the ideal
// cipher model (Guo, Katz, Wang and Yu, "Efficient and Secure Multiparty Computation from
// Fixed-Key Block Ciphers", ePrint 2019/074). The tweak is in the key and in s(t), the sum of
// those of six public random blocks whose bit in t is set. Both derive from the challenge, so
// a cheating receiver, which fixed its rows before, cannot arrange that two of them meet,
// which would give two transfers the same unknown block.
type hasher struct {
	keys    cipher.Stream
	hash    rowHash
	offsets [][perKey]Block // for each kind of output
	next    int             // row
}

// newHasher reads the six blocks and then the keys from the stream of AES-128 in counter mode
// under the given key, from a counter of zero. It hashes each row once for each shift, with
// the shift added.
func newHasher(key Block, shifts ...Block) *hasher {
	var counter Block
	h := &hasher{keys: cipher.NewCTR(newAES(&key), counter[:]), hash: newRowHash()}
	var offsets [perKey]Block
	for bit := 1; bit < perKey; bit <<= 1 {
		base := h.block()
		for t := range offsets[:bit] {
			subtle.XORBytes(offsets[t|bit][:], offsets[t][:], base[:])
		}
	}
	for _, shift := range shifts {
		shifted := offsets
		for t := range shifted {
			subtle.XORBytes(shifted[t][:], shifted[t][:], shift[:])
		}
		h.offsets = append(h.offsets, shifted)
	}
	return h
}

// block returns the next block of the stream.
func (h *hasher) block() Block {
	var b Block
	h.keys.XORKeyStream(b[:], b[:])
	return b
}

// run hashes the next rows into as many outputs as there are shifts, of the same length.
func (h *hasher) run(rows []Block, outs ...[]Block) {
	for len(rows) > 0 {
		t := h.next % perKey
		if t == 0 {
			key := h.block()
			h.hash.setKey(&key)
		}
		n := min(perKey-t, len(rows))
		for i, out := range outs {
			h.hash.hash(out[:n], rows[:n], h.offsets[i][t:t+n])
			outs[i] = out[n:]
		}
		rows = rows[n:]
		h.next += n
	}
}
