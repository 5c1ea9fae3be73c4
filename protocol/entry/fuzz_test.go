package entry

import (
	"bytes"
	"slices"
	"testing"

	"entente/protocol/vectors/memory"
)

func bounded(t *testing.T, b []byte, f func()) {
	t.Helper()
	if n := memory.Allocated(f); n > 16*uint64(len(b))+64<<10 {
		t.Errorf("%d bytes allocated for an input of %d", n, len(b))
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, s := range five(f, Submitted).signed {
		b, err := s.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Signed
		var err error
		bounded(t, b, func() { s, err = Unmarshal(b) })
		if err != nil {
			return
		}
		again, err := s.Marshal()
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("accepted bytes are not canonical: %v", err)
		}
	})
}

// FuzzEntry leaves the long signature out, so that the fuzzer spends itself on the entry.
func FuzzEntry(f *testing.F) {
	g := five(f, Local)
	g.restore(9)
	o, err := SealHead(g.head)
	if err != nil {
		f.Fatal(err)
	}
	b, err := o.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	g.add(LocalHeadOpening, b)
	for _, s := range slices.Concat(g.signed, five(f, Submitted).signed, everyLedgerKind(f).signed) {
		f.Add(s.Entry)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var e Entry
		var err error
		bounded(t, b, func() { e, err = Signed{Entry: b}.Decode() })
		if err != nil {
			return
		}
		again, err := Body(e)
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("accepted bytes are not canonical: %v", err)
		}
		if !e.Kind.Allowed(e.Chain) || len(e.Body) > MaxBody {
			t.Error("an entry outside of its limits was accepted")
		}
	})
}

func FuzzUnmarshalOpening(f *testing.F) {
	o, err := Seal(HeadLabel, body(f, HeadState{Sequence: 4, Digest: make([]byte, 32)}))
	if err != nil {
		f.Fatal(err)
	}
	b, err := o.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		var o Opening
		var err error
		bounded(t, b, func() { o, err = UnmarshalOpening(b) })
		if err != nil {
			return
		}
		again, err := o.Marshal()
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("accepted bytes are not canonical: %v", err)
		}
	})
}

func FuzzReadLog(f *testing.F) {
	b, ends := log(f, Local, five(f, Local).signed)
	f.Add(b[:ends[0]])
	f.Add(b[:ends[0]-1])
	f.Add(LogHeader(Local))
	f.Fuzz(func(t *testing.T, b []byte) {
		var fs []Frame
		var err error
		bounded(t, b, func() { fs, err = read(b, Local) })
		again, ends := LogHeader(Local), int64(len(LogHeader(Local)))
		for _, fr := range fs {
			var e error
			if again, e = AppendFrame(again, fr.Signed); e != nil {
				t.Fatal(e)
			}
			if fr.Offset != ends {
				t.Errorf("a frame begins at %d, the one before ended at %d", fr.Offset, ends)
			}
			ends = fr.End
		}
		if (err == nil || len(fs) > 0) && !bytes.HasPrefix(b, again) || err == nil && len(again) != len(b) {
			t.Errorf("what was read is not what stands there: %v", err)
		}
	})
}
