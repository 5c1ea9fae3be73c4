package sample

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"math"
	"testing"

	"entente/crypto/transcript"
)

// TestStreamIsCounterMode reads pieces of all lengths, across refills, and compares them with
// the key stream in one piece.
func TestStreamIsCounterMode(t *testing.T) {
	seed := [SeedSize]byte{7}
	key := transcript.Digest("label", seed[:], []byte{0, 0, 1, 2})
	block, err := aes.NewCipher(key[:])
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, 20_000)
	cipher.NewCTR(block, make([]byte, aes.BlockSize)).XORKeyStream(want, want)
	s := New("label", seed, 258)
	var got []byte
	for n := 1; len(got) < len(want)-64; n = n%64 + 1 {
		got = append(got, s.Next(n)...)
	}
	if !bytes.Equal(got, want[:len(got)]) {
		t.Error("the stream is not that of AES-256 in counter mode")
	}
	for name, other := range map[string]*Stream{
		"label": New("label2", seed, 258), "seed": New("label", [SeedSize]byte{8}, 258), "index": New("label", seed, 259),
	} {
		if bytes.Equal(other.Next(32), want[:32]) {
			t.Errorf("another %s gives the same stream", name)
		}
	}
}

// TestDistributions compares frequencies with those of the distributions.
func TestDistributions(t *testing.T) {
	const n = 1 << 18
	values := make([]int8, n)
	New("ternary", [SeedSize]byte{1}, 0).Ternary(values)
	var counts [3]float64
	for _, v := range values {
		counts[v+1]++ // panics beyond −1 and 1
	}
	for v, c := range counts {
		if math.Abs(c-n/3.) > 5*math.Sqrt(n*2./9) {
			t.Errorf("%d comes %v times of %d", v-1, c, n)
		}
	}
	New("binomial", [SeedSize]byte{1}, 0).Binomial(values)
	var sum, square float64
	for _, v := range values {
		if v < -24 || v > 24 {
			t.Fatalf("an error of %d", v)
		}
		sum, square = sum+float64(v), square+float64(v)*float64(v)
	}
	// The mean deviates by √(12/n), the mean square by about 12·√(2/n).
	if math.Abs(sum/n) > 5*math.Sqrt(12./n) || math.Abs(square/n-12) > 5*12*math.Sqrt(2./n) {
		t.Errorf("mean %v, variance %v", sum/n, square/n)
	}
}
