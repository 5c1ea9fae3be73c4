package checkpoint

import (
	"bytes"
	"testing"
)

func FuzzParse(f *testing.F) {
	f.Add(Checkpoint{Origin{Federation: federation, Term: 1}, 0, Hash{}}.Text())
	f.Add([]byte("entente/\n0\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := Parse(b); err == nil && !bytes.Equal(c.Text(), b) {
			t.Errorf("%q is read and written otherwise", b)
		}
	})
}

func FuzzUnmarshal(f *testing.F) {
	_, keys := seats(f, 2, 1)
	b, err := signed(at(f, grown(f, 3, 3, 0), 3), keys, upTo(1), upTo(2)).Marshal()
	must(f, err)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, c, err := Unmarshal(b)
		if err != nil {
			return
		}
		again, err := s.Marshal()
		if err != nil || !bytes.Equal(again, b) || !bytes.Equal(c.Text(), s.Text) {
			t.Errorf("read and written otherwise: %v", err)
		}
	})
}

func FuzzUnmarshalEvidence(f *testing.F) {
	_, keys := seats(f, 2, 1)
	one, two := grown(f, 3, 1, 0), grown(f, 3, 1, 1)
	second := at(f, two, 3)
	b, err := Evidence{
		First: signed(at(f, one, 3), keys, nil, upTo(1)), Second: signed(second, keys, nil, upTo(1)), Root: second.Root[:],
	}.Marshal()
	must(f, err)
	f.Add(b)
	c, _ := seats(f, 2, 1)
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := UnmarshalEvidence(b)
		if err != nil {
			return
		}
		again, err := e.Marshal()
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("read and written otherwise: %v", err)
		}
		_, _ = e.Convicts(keysOf(c)) // must not panic
	})
}
