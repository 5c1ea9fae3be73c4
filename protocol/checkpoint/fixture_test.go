package checkpoint

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"entente/crypto/sign"
)

var (
	federation = [32]byte{0xfe, 0xd1}
	noon       = time.Unix(1_795_000_000, 0)
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// seats are the keys of n members, the first s of which are sequencers, two to a bloc.
func seats(t testing.TB, n, s int) (Committee, map[string]*sign.CosigningKey) {
	t.Helper()
	c, keys := Committee{Seats: map[string]Seat{}}, map[string]*sign.CosigningKey{}
	for i := range n {
		k, err := sign.NewCosigningKey(bytes.Repeat([]byte{byte(i + 1)}, sign.CosigningSeedSize))
		must(t, err)
		keys[member(i)] = k
		c.Seats[member(i)] = Seat{Key: k.Public(), Sequencer: i < s, Blocs: []string{fmt.Sprint("bloc ", i/2)}}
	}
	return c, keys
}

func member(i int) string { return fmt.Sprintf("M%02d", i) }

// grown is a tree of leaves that a seed makes different from a place on.
func grown(t testing.TB, size, fork uint64, seed byte) Memory {
	t.Helper()
	var m Memory
	for i := range size {
		content := fmt.Sprint("entry ", i)
		if i >= fork {
			content += string(rune('a' + seed))
		}
		hashes, err := Append(i, Leaf([]byte(content)), m)
		must(t, err)
		m = append(m, hashes...)
	}
	return m
}

// at is the checkpoint of a tree at a size.
func at(t testing.TB, m Memory, size uint64) Checkpoint {
	t.Helper()
	root, err := Root(size, m)
	must(t, err)
	return Checkpoint{Origin{Federation: federation, Term: 1}, size, root}
}

// signed is a checkpoint with the signatures of these sequencers and cosigners.
func signed(c Checkpoint, keys map[string]*sign.CosigningKey, sequencers, cosigners []int) Signed {
	s := Signed{Text: c.Text()}
	for _, i := range sequencers {
		s.Signatures = append(s.Signatures, Sign(c, member(i), Sequencer, keys[member(i)], noon))
	}
	for _, i := range cosigners {
		s.Signatures = append(s.Signatures, Sign(c, member(i), Cosigner, keys[member(i)], noon))
	}
	return s
}

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// keysOf are the keys of a committee's members, each behind one that the member had before.
func keysOf(c Committee) func(string) []*sign.CosigningPublicKey {
	return func(id string) []*sign.CosigningPublicKey {
		seat, ok := c.Seats[id]
		if !ok {
			return nil
		}
		return []*sign.CosigningPublicKey{c.Seats[member(len(c.Seats)-1)].Key, seat.Key}
	}
}
