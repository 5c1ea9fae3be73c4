package store

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"testing/iotest"
	"time"

	"entente/crypto/seal"
	"entente/protocol/indicator"
	"entente/protocol/vectors/memory"
)

// fullRecord sets every field of a record, so that a forgotten one shows.
func fullRecord() stored {
	return stored{
		element: []byte("\x01+61491570001"), original: "0491 570 001",
		handling: indicator.Handling{
			Category: "suspect", Offence: "0201", Purpose: "trafficking", Basis: "AU-TIP", Minor: true, Protected: true,
			NeverWith: []string{"TH", "ID"}, FirstObserved: moment0.Add(-time.Hour), LastObserved: moment0,
			SourceEvaluation: "A", InformationEvaluation: "2", Codes: []string{"H1"}, CaseReference: "case 17",
			Expires: moment0.AddDate(1, 0, 0),
		},
	}
}

func TestStoredFields(t *testing.T) {
	full := fullRecord()
	v := reflect.ValueOf(full.handling)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("%s is not set in the test: extend it and the encoding", v.Type().Field(i).Name)
		}
	}
	for _, want := range []stored{full, {element: []byte{1}}, {element: []byte{}}} {
		b := appendStored(nil, want)
		got, err := decodeStored(b)
		if err != nil || !bytes.Equal(appendStored(nil, got), b) || !reflect.DeepEqual(got.handling, want.handling) {
			t.Errorf("came back different: %v", err)
		}
		head, err := decodeHead(b)
		if err != nil || !bytes.Equal(head.element, want.element) || !head.handling.Expires.Equal(want.handling.Expires) ||
			!slices.Equal(head.handling.NeverWith, want.handling.NeverWith) {
			t.Errorf("the head came back different: %v", err)
		}
		for n := range b {
			if _, err := decodeStored(b[:n]); err == nil {
				t.Errorf("cut to %d bytes, it decodes", n)
			}
		}
		if _, err := decodeStored(append(b, 0)); err == nil {
			t.Error("with a byte more, it decodes")
		}
	}
}

// TestMergeProtects merges random records in random order: what protects a person is
// never lost, and a second merge of the same changes nothing.
func TestMergeProtects(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	random := func() stored {
		s := stored{element: []byte{1}}
		h := &s.handling
		h.Category = indicator.Category(pick("suspect", "convicted", "victim", "witness"))
		h.Minor, h.Protected = r.IntN(4) == 0, r.IntN(4) == 0
		for _, m := range []string{"TH", "ID", "NZ"} {
			if r.IntN(3) == 0 {
				h.NeverWith = append(h.NeverWith, m)
			}
		}
		h.Offence, h.CaseReference = pick("", "1", "2"), pick("", "x")
		if r.IntN(2) == 0 {
			h.FirstObserved = moment0.AddDate(0, 0, -r.IntN(100))
			h.LastObserved = moment0.AddDate(0, 0, r.IntN(100))
		}
		return s
	}
	for range 2000 {
		a, b := random(), random()
		m, changed := merge(a, b)
		h := m.handling
		for _, x := range []indicator.Handling{a.handling, b.handling} {
			if x.Shielded() && !h.Shielded() || x.Minor && !h.Minor || x.Protected && !h.Protected {
				t.Fatal("a shield was lost")
			}
			for _, n := range x.NeverWith {
				if !slices.Contains(h.NeverWith, n) {
					t.Fatal("a never-with member was lost")
				}
			}
			if !x.FirstObserved.IsZero() && (h.FirstObserved.After(x.FirstObserved) || h.LastObserved.Before(x.LastObserved)) {
				t.Fatal("an observation lies outside")
			}
		}
		if b.handling.Offence != "" && h.Offence != b.handling.Offence || b.handling.Offence == "" && h.Offence != a.handling.Offence {
			t.Fatal("another offence")
		}
		if changed == bytes.Equal(appendStored(nil, m), appendStored(nil, a)) {
			t.Fatal("a change was not reported, or none was")
		}
		if _, again := merge(m, b); again {
			t.Fatal("the same row again changes something")
		}
		if err := h.Validate(); err != nil {
			t.Fatalf("merged into something that is not valid: %v", err)
		}
	}
}

func FuzzStored(f *testing.F) {
	f.Add(appendStored(nil, fullRecord()))
	f.Add(appendStored(nil, stored{}))
	f.Add([]byte{storedVersion, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		used := memory.Allocated(func() {
			_, _ = decodeHead(b)
			s, err := decodeStored(b)
			if err == nil && !bytes.Equal(appendStored(nil, s), b) {
				t.Error("not the bytes that were read")
			}
		})
		bound(t, used, b)
	})
}

func FuzzSegment(f *testing.F) {
	f.Add([]byte{5, 1, 'a', 6, 1, 'b'}, uint16(2))
	f.Add([]byte{}, uint16(segmentItems))
	f.Fuzz(func(t *testing.T, b []byte, n uint16) {
		n = min(n, segmentItems)
		var items []SnapshotItem
		var err error
		used := memory.Allocated(func() { items, err = decodeSegment(b, int(n)) })
		bound(t, used, b)
		if err == nil && len(items) != int(n) {
			t.Errorf("%d items, not %d", len(items), n)
		}
	})
}

func FuzzFiles(f *testing.F) {
	f.Add(encodeFiles(map[string][]byte{"a": {1}, "b/c": nil}))
	f.Add(binary.AppendUvarint(nil, 1<<40))
	f.Fuzz(func(t *testing.T, b []byte) {
		var files map[string][]byte
		var err error
		used := memory.Allocated(func() { files, err = decodeFiles(b) })
		bound(t, used, b)
		if err != nil {
			return
		}
		again, err := decodeFiles(encodeFiles(files))
		if err != nil || len(again) != len(files) {
			t.Errorf("came back with %d files of %d: %v", len(again), len(files), err)
		}
	})
}

// FuzzBackup lets anything pass for a backup. A piece's buffer of 1 MiB is there for any input.
func FuzzBackup(f *testing.F) {
	key, err := seal.ParseKey(bytes.Repeat([]byte{1}, seal.KeySize))
	if err != nil {
		f.Fatal(err)
	}
	var b bytes.Buffer
	if err := sealStream(key, &b, bytes.NewReader([]byte("content"))); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(backupHeader))
	f.Fuzz(func(t *testing.T, in []byte) {
		var out bytes.Buffer
		if err := openStream(key, &out, bytes.NewReader(in)); err == nil && out.String() != "content" {
			t.Error("opened what was never sealed")
		}
		if out.Len() > len(in) {
			t.Error("more came out than went in")
		}
	})
}

func bound(t *testing.T, used uint64, b []byte) {
	t.Helper()
	if most := uint64(16*len(b) + 64<<10); used > most {
		t.Errorf("%d bytes allocated for %d, more than %d", used, len(b), most)
	}
}

// TestStreamBound reads a backup through a reader that gives a byte at a time.
func TestStreamBound(t *testing.T) {
	d := &desk{Store: &Store{keys: newRing(seal.NewKey())}}
	b := sealed(t, d, []byte("content"))
	var out bytes.Buffer
	if err := openStream(d.keys.backup, &out, iotest.OneByteReader(bytes.NewReader(b))); err != nil || out.String() != "content" {
		t.Errorf("%q: %v", out.String(), err)
	}
}
