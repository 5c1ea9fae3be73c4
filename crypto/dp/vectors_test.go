package dp

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"testing"

	"entente/protocol/vectors"
)

// stream draws from the bytes of the vectors: SHA-256(seed ‖ 0), SHA-256(seed ‖ 1) …, with
// the numbers in eight bytes, big-endian.
func stream(seed []byte) *source {
	block := uint64(0)
	return &source{fill: func(b []byte) {
		for i := 0; i < len(b); i += sha256.Size {
			sum := sha256.Sum256(binary.BigEndian.AppendUint64(slices.Clone(seed), block))
			copy(b[i:], sum[:])
			block++
		}
	}}
}

func TestVectors(t *testing.T) {
	all, err := vectors.Load("dp")
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, v := range all {
		kind, _, _ := strings.Cut(v.Name, "/")
		kinds[kind]++
		want, err := v.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if got := recompute(t, kind, v.Input); !slices.Equal(got, want) {
			t.Errorf("%s is\n%x, the vector\n%x", v.Name, got, want)
		}
	}
	for _, kind := range []string{"uniform", "bernoulli", "geometric", "part", "split"} {
		if kinds[kind] == 0 {
			t.Errorf("no vector of %s", kind)
		}
	}
}

// recompute draws what a vector's input asks for. Each number is eight bytes.
func recompute(t *testing.T, kind string, in map[string]string) []byte {
	t.Helper()
	number := func(key string) uint64 {
		n, err := strconv.ParseUint(in[key], 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		return n
	}
	seed, err := hex.DecodeString(in["seed"])
	if err != nil {
		t.Fatal(err)
	}
	src := stream(seed)
	var out []byte
	add := func(x uint64) { out = binary.BigEndian.AppendUint64(out, x) }
	switch kind {
	case "uniform":
		for range number("draws") {
			add(src.uniform(number("below")))
		}
	case "bernoulli":
		for range number("draws") {
			out = append(out, map[bool]byte{true: 1}[src.bernoulliExp(number("a"), number("b"))])
		}
	case "geometric":
		for range number("draws") {
			add(src.geometric(number("a"), number("b")))
		}
	case "part", "split":
		s := split(t, uint32(number("epsilon_milli")), uint32(number("sensitivity")), int(number("honest")))
		cells := make([]int64, number("cells"))
		if kind == "split" {
			if cells, err = s.draw(src, len(cells)); err != nil {
				t.Fatal(err)
			}
		} else if !s.part(src, cells) {
			t.Fatal("a part above the bound")
		}
		for _, x := range cells {
			add(uint64(x))
		}
	}
	return out
}
