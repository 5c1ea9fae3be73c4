package exchange

import (
	"bytes"
	"maps"
	"reflect"
	"slices"
	"testing"

	"entente/protocol/vectors/memory"
	"entente/protocol/wire"
)

// FuzzMessages holds the decoder of every message to its bound, and what decodes to its bytes.
func FuzzMessages(f *testing.F) {
	forms := []reflect.Type{
		reflect.TypeFor[Status](), reflect.TypeFor[Range](), reflect.TypeFor[Entries](), reflect.TypeFor[Position](),
		reflect.TypeFor[Taken](), reflect.TypeFor[Vote](), reflect.TypeFor[Offer](),
	}
	made := messages(f)
	for _, name := range slices.Sorted(maps.Keys(made)) {
		b, err := wire.Marshal(made[name])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(slices.Index(forms, reflect.TypeOf(made[name]).Elem())), b)
	}
	offer, err := wire.Marshal(&Offer{Signed: example(f, 1), From: 1, Entries: [][]byte{{1}, {2}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint8(6), offer)
	f.Fuzz(func(t *testing.T, form uint8, b []byte) {
		v := reflect.New(forms[int(form)%len(forms)]).Interface()
		var err error
		got := memory.Allocated(func() {
			if err = wire.Unmarshal(b, v); err == nil {
				if c, ok := v.(interface{ Validate() error }); ok {
					err = c.Validate()
				}
			}
		})
		if most := 16*uint64(len(b)) + 64<<10; got > most {
			t.Errorf("%d bytes were allocated for %d, at most %d", got, len(b), most)
		}
		if err != nil {
			return
		}
		if again, err := wire.Marshal(v); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x was decoded and encoded as %x, %v", b, again, err)
		}
	})
}

// Entries are cut where a frame ends, and at least one goes.
func TestFit(t *testing.T) {
	small, large := make([]byte, 100), make([]byte, MaxBatch/2)
	many := slices.Repeat([][]byte{small}, MaxEntries+5)
	for name, c := range map[string]struct {
		entries [][]byte
		want    int
	}{
		"none": {nil, 0}, "few": {many[:3], 3}, "as many as there may be": {many, MaxEntries},
		"two that do not go together": {[][]byte{large, large, small}, 1}, "one that is too large": {[][]byte{make([]byte, MaxBatch+1), small}, 1},
	} {
		if got := Fit(c.entries); got != c.want {
			t.Errorf("%s: %d of %d fit, not %d", name, got, len(c.entries), c.want)
		}
	}
}

// What a frame may be says its kind alone.
func TestLimits(t *testing.T) {
	for k := wire.Kind(0); k < 32; k++ {
		most, ok := Limit(k)
		if asks := k >= KindStatus && k <= KindTerm && k%2 == 1; ok != asks || ok && (most == 0 || most > wire.MaxChunk) {
			t.Errorf("kind %d: %d, %v", k, most, ok)
		}
		if !ok {
			continue
		}
		if answer, most := Answer(k); answer != k+1 || most == 0 || most > wire.MaxChunk {
			t.Errorf("kind %d is answered by %d of %d bytes", k, answer, most)
		}
	}
}
