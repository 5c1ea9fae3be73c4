package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"

	"entente/protocol/vectors/memory"
)

type digest [2]byte

type mode uint8

// MarshalText would give "mode"; messages must not use it.
func (mode) MarshalText() ([]byte, error) { return []byte("mode"), nil }

type example struct {
	_      struct{} `codec:",toarray"`
	Count  uint64
	Delta  int32
	Flag   bool
	Name   string
	Data   []byte
	Digest [4]byte
	Names  []string
	Leaves []leaf
	Pair   [2]leaf
	Mode   mode
	Tail   digest
}

func randomExample(r *rand.Rand) example {
	text := func() string { return strings.Repeat("é→a", r.IntN(30)) }
	e := example{
		Count: r.Uint64() >> r.IntN(64), Delta: int32(r.Uint32()) >> r.IntN(32), Flag: r.IntN(2) == 0,
		Name: text(), Data: bytes.Repeat([]byte{byte(r.Uint32())}, r.IntN(300)),
		Digest: [4]byte{byte(r.Uint32())}, Names: make([]string, r.IntN(30)), Leaves: make([]leaf, r.IntN(30)),
		Mode: mode(r.Uint32()), Tail: digest{byte(r.Uint32()), 7},
	}
	for i := range e.Names {
		e.Names[i] = text()
	}
	for i := range e.Leaves {
		e.Leaves[i].A = r.Uint64() >> r.IntN(64)
	}
	return e
}

func TestRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		v := randomExample(r)
		b, err := Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Marshal(&v)
		if err != nil || !bytes.Equal(b, again) {
			t.Fatalf("pointer and value differ: %v", err)
		}
		back := randomExample(r) // what was there before must not matter
		if err := Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(v, back) {
			t.Fatal("a value does not come back")
		}
	}
}

func TestNilAndEmptyEncodeAlike(t *testing.T) {
	a, err := Marshal(example{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := Marshal(example{Data: []byte{}, Names: []string{}, Leaves: []leaf{}})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Errorf("%x and %x", a, b)
	}
}

func TestMarshalRefusesWhatUnmarshalWould(t *testing.T) {
	if b, err := Marshal(example{Name: "\xff"}); !errors.Is(err, ErrMalformed) {
		t.Errorf("text that is not UTF-8: %x, %v", b, err)
	}
	if b, err := Marshal(lists{A: make([][]byte, 10_000)}); !errors.Is(err, ErrMalformed) {
		t.Errorf("ten thousand empty slices: %d bytes, %v", len(b), err)
	}
}

func TestRefusedMessageLeavesTheValue(t *testing.T) {
	v := example{Name: "as before", Names: []string{"a"}}
	want := v
	b, err := Marshal(example{Name: "other", Names: []string{"b"}})
	if err != nil {
		t.Fatal(err)
	}
	b = b[:len(b)-1]
	if err := Unmarshal(b, &v); !errors.Is(err, ErrMalformed) {
		t.Fatalf("got %v", err)
	}
	if !reflect.DeepEqual(v, want) {
		t.Errorf("value changed to %+v", v)
	}
}

func TestDecodedValueKeepsNoReference(t *testing.T) {
	b, err := Marshal(example{Name: "name", Data: []byte("data"), Names: []string{"names"}})
	if err != nil {
		t.Fatal(err)
	}
	var v example
	if err := Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	clear(b)
	if v.Name != "name" || string(v.Data) != "data" || v.Names[0] != "names" {
		t.Errorf("value changed with the input: %+v", v)
	}
}

// lists is the type that takes most memory for its length.
type lists struct {
	_ struct{} `codec:",toarray"`
	A [][]byte
	B []uint64
	C []example
	D []byte
}

// TestMalformedShapes holds what the codec alone would take.
func TestMalformedShapes(t *testing.T) {
	for name, c := range map[string]struct {
		hex  string
		into any
	}{
		"array instead of bytes":         {"84 80 80 80 83010203", &lists{}},
		"text instead of bytes":          {"84 80 80 80 63616263", &lists{}},
		"bytes instead of an array":      {"84 80 43010203 80 40", &lists{}},
		"too few fields":                 {"83 80 80 80", &lists{}},
		"too many fields":                {"85 80 80 80 40 00", &lists{}},
		"empty array for a struct":       {"84 80 80 8180 40", &lists{}},
		"no array":                       {"00", &lists{}},
		"bytes for the whole":            {"4400000000", &lists{}},
		"boolean for a number":           {"81 f5", &leaf{}},
		"negative for an unsigned":       {"81 20", &leaf{}},
		"number for a boolean":           {"81 01", &errorFlag{}},
		"byte array of the wrong length": {"81 43010203", &four{}},
		"text into a byte array":         {"81 6461626364", &four{}},
		"array into a byte array":        {"81 8401020304", &four{}},
		"short list into a Go array":     {"81 81 8101", &pair{}},
		"long list into a Go array":      {"81 83 8101 8101 8101", &pair{}},
	} {
		b, err := hex.DecodeString(strings.ReplaceAll(c.hex, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		if err := Scan(b); err != nil {
			t.Errorf("%s: the scan alone refuses it: %v", name, err)
		}
		if err := Unmarshal(b, c.into); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

type errorFlag struct {
	_    struct{} `codec:",toarray"`
	Flag bool
}

type four struct {
	_ struct{} `codec:",toarray"`
	A [4]byte
}

type pair struct {
	_ struct{} `codec:",toarray"`
	A [2]leaf
}

// bound is the promise: memory in proportion to what came.
func bound(length int) uint64 { return 16*uint64(length) + 64<<10 }

func TestHostileLengthsTakeNoMemory(t *testing.T) {
	var warm lists
	if err := Unmarshal([]byte{0x84, 0x80, 0x80, 0x80, 0x40}, &warm); err != nil {
		t.Fatal(err)
	}
	list := func(n int, elem ...byte) []byte {
		b := []byte{0x9a, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
		return append(b, bytes.Repeat(elem, n)...)
	}
	const n = 100_000
	for name, b := range map[string][]byte{
		"array head of nine bytes":     {0x84, 0x80, 0x80, 0x80, 0x9b, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff},
		"array head alone":             {0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"byte string of 2^32":          {0x84, 0x80, 0x80, 0x80, 0x5b, 0, 0, 0, 1, 0, 0, 0, 0},
		"integers into bytes":          append([]byte{0x84, 0x80, 0x80, 0x80}, list(n, 0)...),
		"empty byte strings":           append(append([]byte{0x84}, list(n, 0x40)...), 0x80, 0x80, 0x40),
		"empty arrays for structs":     append(append([]byte{0x84, 0x80, 0x80}, list(n, 0x80)...), 0x40),
		"one-byte integers (accepted)": append(append([]byte{0x84, 0x80}, list(n, 7)...), 0x80, 0x40),
		"long byte string (accepted)":  append([]byte{0x84, 0x80, 0x80, 0x80, 0x5a, 0, 1, 0x86, 0xa0}, make([]byte, n)...),
	} {
		var v lists
		var err error
		got := memory.Allocated(func() { err = Unmarshal(b, &v) })
		if accepted := strings.Contains(name, "accepted"); (err == nil) != accepted {
			t.Errorf("%s: %v", name, err)
		}
		t.Logf("%s: %d bytes in, %d allocated", name, len(b), got)
		if got > bound(len(b)) {
			t.Errorf("%s: %d bytes make %d, at most %d are promised", name, len(b), got, bound(len(b)))
		}
	}
}

func TestErrorsDoNotRepeatTheContent(t *testing.T) {
	b, err := Marshal(example{Name: "+15550100"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		for _, x := range []byte{0x00, 0x40, 0x60, 0x80, 0xf6, 0xff} {
			bad := bytes.Clone(b)
			bad[i] = x
			var v example
			if err := Unmarshal(bad, &v); err != nil && strings.Contains(err.Error(), "5550") {
				t.Fatalf("error repeats the content: %v", err)
			}
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			r := rand.New(rand.NewPCG(3, uint64(i)))
			for range 100 {
				v, back := randomExample(r), example{}
				b, err := Marshal(v)
				if err == nil {
					err = Unmarshal(b, &back)
				}
				if err != nil || !reflect.DeepEqual(v, back) {
					t.Errorf("a value does not come back: %v", err)
					return
				}
			}
		})
	}
	group.Wait()
}

func FuzzUnmarshal(f *testing.F) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 5 {
		b, err := Marshal(randomExample(r))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{0x84, 0x80, 0x80, 0x80, 0x9b, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, v := range []any{&example{}, &lists{}, &widths{}} {
			var err error
			if got := memory.Allocated(func() { err = Unmarshal(b, v) }); got > bound(len(b)) {
				t.Errorf("%d bytes make %d", len(b), got)
			}
			if err != nil {
				if !errors.Is(err, ErrMalformed) {
					t.Errorf("foreign error: %v", err)
				}
				continue
			}
			again, err := Marshal(v)
			if err != nil || !bytes.Equal(again, b) {
				t.Errorf("%x encodes again to %x, %v", b, again, err)
			}
		}
	})
}

func BenchmarkUnmarshal(b *testing.B) {
	in, err := Marshal(randomExample(rand.New(rand.NewPCG(1, 2))))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		var v example
		if err := Unmarshal(in, &v); err != nil {
			b.Fatal(err)
		}
	}
}
