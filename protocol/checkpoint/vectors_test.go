package checkpoint

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"entente/crypto/sign"
	"entente/protocol/vectors"
)

func TestVectors(t *testing.T) {
	all, err := vectors.Load("checkpoint")
	if err != nil || len(all) < 12 {
		t.Fatalf("%d vectors, %v", len(all), err)
	}
	for _, v := range all {
		t.Run(v.Name, func(t *testing.T) {
			want, err := v.Bytes()
			must(t, err)
			if !v.Valid {
				if _, err := Parse(want); err == nil || !strings.Contains(err.Error(), v.Fault) {
					t.Errorf("%v, want a fault of class %s", err, v.Fault)
				}
				return
			}
			if got := compute(t, v.Input); !bytes.Equal(got, want) {
				t.Errorf("got %x, want %x", got, want)
			}
		})
	}
}

// compute makes a vector's bytes from its input: a tree of the entries "entry 0", "entry
// 1" and so on, and the key whose seed is 64 times one byte.
func compute(t *testing.T, in map[string]string) []byte {
	t.Helper()
	size, err := strconv.ParseUint(in["size"], 10, 64)
	must(t, err)
	m := grown(t, max(size, 9), 99, 0)
	c := at(t, m, size)
	key, err := sign.NewCosigningKey(bytes.Repeat([]byte{1}, sign.CosigningSeedSize))
	must(t, err)
	role := Cosigner
	if in["role"] == Sequencer.String() {
		role = Sequencer
	}
	s := Sign(c, in["member"], role, key, noon)
	classic, lattice := s.messages(c)
	switch in["what"] {
	case "leaf":
		h := Leaf([]byte("entry " + in["index"]))
		return h[:]
	case "root":
		return c.Root[:]
	case "inclusion", "consistency":
		place, err := strconv.ParseUint(in["index"], 10, 64)
		must(t, err)
		prove := ProveInclusion
		if in["what"] == "consistency" {
			prove = ProveConsistency
		}
		p, err := prove(place, size, m)
		must(t, err)
		return bytes.Join(raw(p), nil)
	case "text":
		return c.Text()
	case "ed25519 message":
		return classic
	case "ed25519":
		return s.Ed25519
	case "mldsa44 message":
		return lattice
	case "verifier key":
		i, err := strconv.Atoi(in["half"])
		must(t, err)
		parts := strings.Split(VerifierKeys(federation, in["member"], role, key.Public())[i], "+")
		return []byte(parts[0] + "+" + parts[1])
	}
	t.Fatalf("unknown vector of %q", in["what"])
	return nil
}
