package ot

import (
	"bytes"
	"errors"
	"testing"
)

// TestTreesForEachPath: whatever the path, a sender finds the seeds of all leaves but that at
// its end, and all check values.
func TestTreesForEachPath(t *testing.T) {
	_, pairs := based(t, 1)
	for depth := 1; depth <= 5; depth++ {
		tr := tree{&pairs.session, 3}
		seeds, checks, message := tr.grow(pairs.keys[:depth], nil)
		if want := (depth-1)*2*BlockSize + checkSize; len(message) != want {
			t.Fatalf("depth %d: message of %d bytes, want %d", depth, len(message), want)
		}
		for path := range 1 << depth {
			choices, keys := make([]byte, depth), make([]Block, depth)
			for l := range choices {
				choices[l] = byte(^path >> (depth - 1 - l) & 1)
				keys[l] = pairs.keys[l][choices[l]]
			}
			found, again := tr.regrow(choices, keys, message)
			for p := range found {
				if same := found[p] == seeds[p^path]; same != (p > 0) {
					t.Errorf("depth %d path %d: seed at difference %d known: %v", depth, path, p, same)
				}
			}
			for x := range checks {
				if again[x] != checks[x] {
					t.Errorf("depth %d path %d: other check value of leaf %d", depth, path, x)
				}
			}
		}
	}
}

// TestShapes: the base transfers are divided without a rest, and messages have the length
// that their readers expect.
func TestShapes(t *testing.T) {
	chosen, pairs := based(t, 1)
	for depth := 1; depth <= 7; depth++ {
		s, sum := shapeOf(depth), 0
		for _, d := range s {
			if sum += d; d > depth || d < 1 {
				t.Errorf("tree of depth %d among those of %d", d, depth)
			}
		}
		if sum != security {
			t.Errorf("depth %d uses %d transfers", depth, sum)
		}
		_, message := newReceiver(s, pairs)
		if len(message) != s.size() {
			t.Errorf("depth %d: trees of %d bytes, want %d", depth, len(message), s.size())
		}
		if _, err := newSender(s, chosen, message); err != nil {
			t.Errorf("depth %d: %v", depth, err)
		}
	}
	if TreesSize() != 4128 || ColumnsSize(1) != 992 || ColumnsSize(128) != 992 || ColumnsSize(129) != 1488 {
		t.Error("lengths differ from the specification's:", TreesSize(), ColumnsSize(1), ColumnsSize(128), ColumnsSize(129))
	}
	if ColumnsSize(MaxExtension) >= 1<<20 {
		t.Errorf("the largest message has %d bytes", ColumnsSize(MaxExtension))
	}
}

// accepts tells whether a sender with these choices accepts trees; any other error than
// ErrTrees fails the test.
func accepts(t *testing.T, chosen *MaliciousChosen, trees []byte) bool {
	t.Helper()
	_, err := NewSender(chosen, trees)
	if err != nil && !errors.Is(err, ErrTrees) {
		t.Fatal(err)
	}
	return err == nil
}

// TestSelectiveFailure: a receiver that spoils the sum of one side of a level is caught
// exactly by the senders that need this sum. So it learns a bit of the choices if it is not
// caught, half as likely for each further bit.
func TestSelectiveFailure(t *testing.T) {
	chosen, pairs := based(t, 1)
	_, honest := NewReceiver(pairs)
	const perTree = (fieldBits-1)*2*BlockSize + checkSize
	passed := 0
	for index := range security / fieldBits {
		for l := 1; l < fieldBits; l++ {
			for side := range 2 {
				trees := append([]byte(nil), honest...)
				trees[index*perTree+((l-1)*2+side)*BlockSize+5] ^= 0x10
				unused := chosen.choices.bit(index*fieldBits+l) != byte(side)
				if accepts(t, chosen, trees) != unused {
					t.Errorf("tree %d level %d side %d: accepted where it must not be, or the other way round", index, l, side)
				}
				if unused {
					passed++
				}
			}
		}
	}
	if passed != security/fieldBits*(fieldBits-1) {
		t.Errorf("%d guesses passed", passed)
	}
	// All guesses at once: right ones pass, one wrong among them does not.
	for wrong := -1; wrong < 8; wrong++ {
		trees := append([]byte(nil), honest...)
		for index := range 8 {
			side := 1 - int(chosen.choices.bit(index*fieldBits+1))
			if index == wrong {
				side = 1 - side
			}
			trees[index*perTree+side*BlockSize] ^= 1
		}
		if accepts(t, chosen, trees) != (wrong < 0) {
			t.Errorf("wrong guess %d: not as expected", wrong)
		}
	}
}

// cheatLeaf makes honest trees but for one leaf of tree 0, whose check value is replaced
// everywhere, so that only a sender which does not know the leaf can accept.
func cheatLeaf(pairs *MaliciousPairs, leaf int) []byte {
	var all []byte
	message := make([]byte, 0, TreesSize())
	for i := range security / fieldBits {
		_, checks, more := tree{&pairs.session, i}.grow(pairs.keys[i*fieldBits:][:fieldBits], message)
		message = more
		if i == 0 {
			checks[leaf][0] ^= 1
			message[len(message)-checkSize] ^= 1
		}
		for x := range checks {
			all = append(all, checks[x][:]...)
		}
	}
	digest := digestOfTrees(&pairs.session, all)
	return append(message, digest[:]...)
}

// TestLeafGuess: a receiver that guesses the leaf which the sender does not know passes for
// one of sixteen.
func TestLeafGuess(t *testing.T) {
	chosen, pairs := based(t, 1)
	path := 0
	for l := range fieldBits {
		path = path<<1 | int(1-chosen.choices.bit(l))
	}
	for leaf := range 1 << fieldBits {
		if accepts(t, chosen, cheatLeaf(pairs, leaf)) != (leaf == path) {
			t.Errorf("guess of leaf %d where leaf %d is unknown: not as expected", leaf, path)
		}
	}
}

func TestTreesRefused(t *testing.T) {
	chosen, pairs := based(t, 1)
	_, honest := NewReceiver(pairs)
	const perTree = (fieldBits-1)*2*BlockSize + checkSize
	for _, b := range [][]byte{nil, honest[:len(honest)-1], append(append([]byte(nil), honest...), 0), make([]byte, 1<<16)} {
		if _, err := NewSender(chosen, b); !errors.Is(err, ErrSize) {
			t.Errorf("%d bytes: %v", len(b), err)
		}
	}
	spoil := func(at int) []byte {
		b := append([]byte(nil), honest...)
		b[at] ^= 0x80
		return b
	}
	for index := range security / fieldBits { // sums of check values: every sender needs them
		for _, at := range []int{0, checkSize - 1} {
			if accepts(t, chosen, spoil((index+1)*perTree-checkSize+at)) {
				t.Errorf("sum of tree %d changed and accepted", index)
			}
		}
	}
	for at := len(honest) - 32; at < len(honest); at++ {
		if accepts(t, chosen, spoil(at)) {
			t.Errorf("digest changed at %d and accepted", at)
		}
	}
	_, others := based(t, 2)
	_, foreign := NewReceiver(others)
	if accepts(t, chosen, foreign) {
		t.Error("trees of another session accepted")
	}
	others.session = pairs.session
	_, foreign = NewReceiver(others)
	if accepts(t, chosen, foreign) {
		t.Error("trees with other keys accepted")
	}
}

// TestSessionsShareNoSeeds: the same keys under another session give trees that have nothing
// in common.
func TestSessionsShareNoSeeds(t *testing.T) {
	_, pairs := based(t, 1)
	seen := map[Block]bool{}
	for session := range byte(3) {
		pairs.session = [SessionSize]byte{session}
		seeds, _ := growAll(shapeOf(fieldBits), pairs)
		for _, leaves := range seeds {
			for _, seed := range leaves {
				if seen[seed] {
					t.Fatal("a seed comes twice")
				}
				seen[seed] = true
			}
		}
	}
}

func TestSwap(t *testing.T) {
	for bit := range 2 {
		a, b := []byte{1, 2, 3}, []byte{4, 5, 6}
		swap(bit, a, b)
		if exchanged := bytes.Equal(a, []byte{4, 5, 6}) && bytes.Equal(b, []byte{1, 2, 3}); exchanged != (bit == 1) {
			t.Errorf("bit %d: %v %v", bit, a, b)
		}
	}
}
