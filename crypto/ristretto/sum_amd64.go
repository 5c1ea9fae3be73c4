package ristretto

import "encoding/binary"

// sumMemory is what sums of products need; it grows with the batch and stays.
type sumMemory struct {
	points  []cached8
	buckets []uint64
	offsets [][width]offsets8
}

const (
	// bucketBytes is the length of a bucket, 20 words in whole cache lines.
	bucketBytes = 192
	// Costs of adding a point to buckets and of adding up one bucket, in cycles; only
	// their ratio matters.
	addCost, bucketCost = 600, 1200
)

// multiScalar is Pippenger's method ("On the evaluation of powers and related problems",
// 1976) with windows across lanes: each lane has the buckets of one window of the
// coefficients' bits, so that a point, spread over the lanes, is added for eight windows
// at once.
func (a *vectorEngine) multiScalar(dst, p *Points, coefficients [][]byte) {
	result := &dst.blocks[0]
	for lane := range width {
		result.setIdentity(lane)
	}
	dst.halved = p.halved
	if p.n == 0 {
		return
	}
	if n := len(p.blocks); n > len(a.sums.points) {
		a.sums.points, a.sums.offsets = aligned[cached8](n), make([][width]offsets8, n)
	}
	for i := range p.blocks {
		pointCache(&a.sums.points[i], &p.blocks[i], &a.twiceD)
	}
	bits := 8 * len(coefficients[0])
	w := windowBits(bits, p.n)
	count := (bits + w - 1) / w
	digits := signedDigits(coefficients, w, count)
	for first := (count - 1) / width * width; first >= 0; first -= width {
		n := min(width, count-first)
		a.addToBuckets(digits, count, first, n)
		sumCache(&a.table[0], &a.sum, &a.twiceD)
		for lane := n - 1; lane >= 0; lane-- {
			for range w {
				pointDouble(result, result, &a.work)
			}
			a.entry.copyLane(0, &a.table[0], lane)
			pointAdd(result, result, &a.entry, &a.work)
		}
	}
	for lane := 1; lane < width; lane++ {
		result.setIdentity(lane)
	}
}

// windowBits returns the cheapest width of windows for n coefficients of so many bits.
func windowBits(bits, n int) int {
	best, least := 0, 0
	for w := 3; w <= 11; w++ {
		groups := ((bits+w-1)/w + width - 1) / width
		cost := groups * (n*addCost + bucketCost<<(w-1))
		if best == 0 || cost < least {
			best, least = w, cost
		}
	}
	return best
}

// signedDigits splits coefficients into digits of w bits from −2^(w−1) to 2^(w−1) − 1, the
// lowest first, count for each; the last one takes the carry and is at most 2^w.
func signedDigits(coefficients [][]byte, w, count int) []int16 {
	digits := make([]int16, len(coefficients)*count)
	for i, c := range coefficients {
		var words [ScalarSize/8 + 1]uint64
		for k := range len(c) / 8 {
			words[k] = binary.LittleEndian.Uint64(c[8*k:])
		}
		carry := 0
		for k := range count {
			place := k * w
			bits := words[place/64]>>(place%64) | words[place/64+1]<<(64-place%64)
			d := int(bits&(1<<w-1)) + carry
			carry = 0
			if k < count-1 {
				carry = (d + 1<<(w-1)) >> w
				d -= carry << w
			}
			digits[i*count+k] = int16(d)
		}
	}
	return digits
}

// addToBuckets sets a.sum to the sums of the points times their digits, for n windows from
// the first on, one in each lane. Digit 0 has a bucket that nobody reads.
func (a *vectorEngine) addToBuckets(digits []int16, count, first, n int) {
	points := len(digits) / count
	highest := 0
	for i := range points {
		for _, d := range digits[i*count+first:][:n] {
			highest = max(highest, int(d), -int(d))
		}
	}
	stride := (highest + 1) * bucketBytes
	if need := width * stride / 8; need > len(a.sums.buckets) {
		a.sums.buckets = aligned[uint64](need)
	}
	clear(a.sums.buckets[:width*stride/8])
	for i := 0; i < width*stride/8; i += bucketBytes / 8 {
		for c := range 3 { // Y + X, Y − X and Z of the identity
			a.sums.buckets[i+5*c] = 1
		}
	}
	for i := range points {
		offsets := &a.sums.offsets[i/width][i%width]
		for lane := range width {
			d := 0
			if lane < n {
				d = int(digits[i*count+first+lane])
			}
			sign := d >> 63 // no branch: signs cannot be predicted
			offsets[lane] = uint32(lane*stride+(d^sign-sign)*bucketBytes) | uint32(sign&1)
		}
	}
	buckets := &a.sums.buckets[0]
	for i := 0; i < points; i += width {
		block := i / width
		bucketAdd(buckets, &a.sums.offsets[block], &a.sums.points[block], uint64(min(width, points-i)), &a.work)
	}
	a.addUp(buckets, stride, highest)
}

// addUp sets a.sum to the sum of all buckets times their digits: each is added to a
// running sum, from the highest down, and that to the result.
func (a *vectorEngine) addUp(buckets *uint64, stride, highest int) {
	a.sum = sum8{plus: a.one, minus: a.one, z: a.one}
	a.run = a.sum
	var offsets offsets8
	for d := highest; d > 0; d-- {
		for lane := range width {
			offsets[lane] = uint32(lane*stride + d*bucketBytes)
		}
		bucketLoad(&a.bucket, buckets, &offsets)
		sumCache(&a.entry, &a.bucket, &a.twiceD)
		sumAdd(&a.run, &a.run, &a.entry, &a.work)
		sumCache(&a.entry, &a.run, &a.twiceD)
		sumAdd(&a.sum, &a.sum, &a.entry, &a.work)
	}
}
