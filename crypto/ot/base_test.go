package ot

import (
	"bytes"
	"errors"
	"testing"

	"entente/crypto/ristretto"
)

// element is the place of an element in a request.
func element(b []byte, i int) []byte { return b[i*ristretto.Size:][:ristretto.Size] }

func TestBaseTransfers(t *testing.T) {
	seen := [2]int{}
	for seed := range byte(4) {
		chosen, pairs := based(t, seed)
		for i, pair := range pairs.keys {
			c := chosen.choices.bit(i)
			seen[c]++
			if chosen.keys[i] != pair[c] {
				t.Errorf("transfer %d: not the key chosen", i)
			}
			if chosen.keys[i] == pair[1-c] {
				t.Errorf("transfer %d: both keys are the same", i)
			}
		}
	}
	if seen[0] < 200 || seen[1] < 200 { // of 512
		t.Errorf("choices %v are not random", seen)
	}
}

// TestRequestHidesOneLogarithm: the place chosen is the one whose sum with the hash of the
// other has the logarithm that the chooser knows, and the other is not.
func TestRequestHidesOneLogarithm(t *testing.T) {
	choices := Choices{bits: Block{0: 0b10}}
	c, err := NewBaseChooser([SessionSize]byte{1}, choices, random(1))
	if err != nil {
		t.Fatal(err)
	}
	w, err := ristretto.NewWorker(ristretto.Auto)
	if err != nil {
		t.Fatal(err)
	}
	request := c.Request()
	for i := range 2 {
		var own, hashed, sums ristretto.Points
		w.Generator(&own, 1)
		w.Mul(&own, &own, &c.scalars[i])
		want := make([]byte, ristretto.Size)
		w.Encode(want, &own)
		inputs := [][]byte{
			hashInput(&c.session, i, 0, element(request, 2*i+1)),
			hashInput(&c.session, i, 1, element(request, 2*i)),
		}
		if err := w.HashToGroup(&hashed, inputs, []byte(pointDomain)); err != nil {
			t.Fatal(err)
		}
		if err := w.Decode(&sums, request[i*64:i*64+64]); err != nil {
			t.Fatal(err)
		}
		w.Add(&sums, &sums, &hashed)
		got := make([]byte, 2*ristretto.Size)
		w.Encode(got, &sums)
		for x := range 2 {
			if known := bytes.Equal(element(got, x), want); known != (x == int(choices.bit(i))) {
				t.Errorf("transfer %d: logarithm of place %d known: %v", i, x, known)
			}
		}
	}
}

// TestKeysBindEverything: keys differ if the sides had other sessions or saw other messages,
// and no message of one transfer serves another.
func TestKeysBindEverything(t *testing.T) {
	session, other := [SessionSize]byte{1}, [SessionSize]byte{2}
	c, err := NewBaseChooser(session, Choices{}, random(1))
	if err != nil {
		t.Fatal(err)
	}
	request := c.Request()
	swapped := c.Request()
	copy(swapped, request[64:128])
	copy(swapped[64:], request[:64])
	places := c.Request()
	copy(places, element(request, 1))
	copy(places[ristretto.Size:], element(request, 0))
	for name, sent := range map[string]struct {
		session [SessionSize]byte
		request []byte
	}{
		"session":             {other, request},
		"transfers exchanged": {session, swapped},
		"places exchanged":    {session, places},
	} {
		pairs, answer, err := AnswerBase(sent.session, sent.request, random(2))
		if err != nil {
			t.Fatal(err)
		}
		again := *c
		chosen, err := again.Finish(answer)
		if err != nil {
			t.Fatal(err)
		}
		all := map[Block]bool{}
		for i, key := range chosen.keys {
			if key == pairs.keys[i][0] || key == pairs.keys[i][1] {
				t.Errorf("%s: transfer %d has a key in common", name, i)
			}
			for _, k := range []Block{key, pairs.keys[i][0], pairs.keys[i][1]} {
				if all[k] {
					t.Errorf("%s: a key of transfer %d came before", name, i)
				}
				all[k] = true
			}
		}
	}
}

// TestSameElementsGiveOtherKeys: a request that repeats the elements of one transfer in
// another gets keys that have nothing in common.
func TestSameElementsGiveOtherKeys(t *testing.T) {
	c, err := NewBaseChooser([SessionSize]byte{1}, Choices{}, random(1))
	if err != nil {
		t.Fatal(err)
	}
	request := c.Request()
	copy(request[64:128], request[:64])
	pairs, _, err := AnswerBase([SessionSize]byte{1}, request, random(2))
	if err != nil {
		t.Fatal(err)
	}
	for x, key := range pairs.keys[0] {
		if key == pairs.keys[1][x] {
			t.Errorf("place %d has the same key in both transfers", x)
		}
	}
}

// hidesNothing returns a request whose first pair has a sum that is the identity.
func hidesNothing(t testing.TB, session [SessionSize]byte, request []byte) []byte {
	t.Helper()
	w, err := ristretto.NewWorker(ristretto.Auto)
	if err != nil {
		t.Fatal(err)
	}
	minusOne, err := ristretto.ParseScalar(append([]byte{1}, make([]byte, 31)...))
	if err != nil {
		t.Fatal(err)
	}
	minusOne.Neg(&minusOne)
	var p ristretto.Points
	if err := w.HashToGroup(&p, [][]byte{hashInput(&session, 0, 0, element(request, 1))}, []byte(pointDomain)); err != nil {
		t.Fatal(err)
	}
	w.Mul(&p, &p, &minusOne)
	out := append([]byte(nil), request...)
	w.Encode(element(out, 0), &p)
	return out
}

func TestBaseRefuses(t *testing.T) {
	session := [SessionSize]byte{1}
	c, err := NewBaseChooser(session, Choices{}, random(1))
	if err != nil {
		t.Fatal(err)
	}
	good := c.Request()
	with := func(i int, b []byte) []byte {
		out := append([]byte(nil), good...)
		copy(element(out, i), b)
		return out
	}
	identity := make([]byte, ristretto.Size)
	odd := append([]byte{1}, make([]byte, 31)...)              // negative
	large := bytes.Repeat([]byte{0xff}, ristretto.Size)        // not reduced
	nowhere := append([]byte{0x02, 0x01}, make([]byte, 30)...) // no point has it
	for name, c := range map[string]struct {
		request []byte
		want    error
	}{
		"empty":          {nil, ErrSize},
		"one byte less":  {good[:RequestSize-1], ErrSize},
		"one byte more":  {append(append([]byte(nil), good...), 0), ErrSize},
		"one pair less":  {good[64:], ErrSize},
		"identity first": {with(0, identity), ErrElement},
		"identity last":  {with(2*security-1, identity), ErrElement},
		"negative":       {with(7, odd), ErrElement},
		"not reduced":    {with(8, large), ErrElement},
		"no element":     {with(9, nowhere), ErrElement},
		"hides nothing":  {hidesNothing(t, session, good), ErrElement},
	} {
		pairs, answer, err := AnswerBase(session, c.request, random(2))
		if !errors.Is(err, c.want) || pairs != nil || answer != nil {
			t.Errorf("request with %s: %v, want %v", name, err, c.want)
		}
	}
	for name, c := range map[string]struct {
		answer []byte
		want   error
	}{
		"empty":       {nil, ErrSize},
		"two":         {make([]byte, 64), ErrSize},
		"identity":    {identity, ErrElement},
		"negative":    {odd, ErrElement},
		"not reduced": {large, ErrElement},
	} {
		chooser, err := NewBaseChooser(session, Choices{}, random(1))
		if err != nil {
			t.Fatal(err)
		}
		if chosen, err := chooser.Finish(c.answer); !errors.Is(err, c.want) || chosen != nil {
			t.Errorf("answer with %s: %v, want %v", name, err, c.want)
		}
		if _, err := chooser.Finish(element(good, 0)); !errors.Is(err, ErrUsed) {
			t.Errorf("second answer after %s: %v", name, err)
		}
	}
}

func TestShortRandomness(t *testing.T) {
	session := [SessionSize]byte{1}
	const uniform = security * ristretto.UniformSize
	if _, err := DrawChoices(bytes.NewReader(make([]byte, 15))); !errors.Is(err, ErrRandom) {
		t.Errorf("choices: %v", err)
	}
	for _, n := range []int{0, uniform - 1, uniform, 2*uniform - 1} {
		source := bytes.NewReader(bytes.Repeat([]byte{7}, n))
		if _, err := NewBaseChooser(session, Choices{}, source); !errors.Is(err, ErrRandom) {
			t.Errorf("request with %d bytes: %v", n, err)
		}
	}
	if _, err := NewBaseChooser(session, Choices{}, bytes.NewReader(make([]byte, 2*uniform))); !errors.Is(err, ErrRandom) {
		t.Errorf("zero scalars: %v", err)
	}
	c, err := NewBaseChooser(session, Choices{}, random(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{make([]byte, 63), make([]byte, 64)} { // short, zero
		if _, _, err := AnswerBase(session, c.Request(), bytes.NewReader(b)); !errors.Is(err, ErrRandom) {
			t.Errorf("answer with %d bytes: %v", len(b), err)
		}
	}
}
