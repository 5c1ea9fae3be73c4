package tags

import "encoding/binary"

// writer appends numbers of up to 64 bits, the highest bit first, to bytes.
type writer struct {
	b    []byte
	word uint64 // bits that are not in b yet, from the highest on
	free uint   // bits of word that are not in use: 1 to 64
}

// put appends the n lower bits of v; the others must be zero.
func (w *writer) put(v uint64, n uint) {
	if n < w.free {
		w.free -= n
		w.word |= v << w.free
		return
	}
	n -= w.free
	w.b = binary.BigEndian.AppendUint64(w.b, w.word|v>>n)
	w.free = 64 - n
	w.word = v << w.free
}

// unary appends zeros and then a one.
func (w *writer) unary(zeros uint64) {
	for ; zeros >= 64; zeros -= 64 {
		w.put(0, 64)
	}
	w.put(1, uint(zeros)+1)
}

// end returns the bytes, the last one filled up with zeros.
func (w *writer) end() []byte {
	for used := 64 - int(w.free); used > 0; used -= 8 {
		w.b = append(w.b, byte(w.word>>56))
		w.word <<= 8
	}
	return w.b
}

// reader takes numbers of up to 64 bits from bytes; after their end it takes zeros.
type reader struct {
	b    []byte // what is not in word yet
	word uint64 // bits to come, from the highest on
	have uint   // how many of them
}

// newReader begins at a bit.
func newReader(b []byte, at int) reader {
	r := reader{b: b[at/8:]}
	r.word = r.next() << (at % 8)
	r.have = 64 - uint(at%8)
	return r
}

func (r *reader) next() uint64 {
	if len(r.b) < 8 {
		word := tail(r.b)
		r.b = nil
		return word
	}
	word := binary.BigEndian.Uint64(r.b)
	r.b = r.b[8:]
	return word
}

func (r *reader) get(n uint) uint64 {
	v := r.word >> (64 - n)
	if n <= r.have {
		r.word <<= n
		r.have -= n
		return v
	}
	n -= r.have
	word := r.next()
	r.word = word << n
	r.have = 64 - n
	return v | word>>r.have
}

// window returns the bits from one on as the upper bits of a number: 57 of them or more, as
// far as there are bytes, then zeros.
func window(b []byte, at int) uint64 {
	i := at / 8
	if i+8 <= len(b) {
		return binary.BigEndian.Uint64(b[i:]) << (at % 8)
	}
	return tail(b[min(i, len(b)):]) << (at % 8)
}

// tail is the number that less than eight bytes begin.
func tail(b []byte) uint64 {
	var word [8]byte
	copy(word[:], b)
	return binary.BigEndian.Uint64(word[:])
}
