package transcript

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"testing"

	"entente/protocol/vectors"
)

// flat builds the hashed bytes in one piece, as the package comment states them.
func flat(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = binary.BigEndian.AppendUint64(b, uint64(len(p)))
		b = append(b, p...)
	}
	return b
}

func TestDigestHashesTheStatedBytes(t *testing.T) {
	long := bytes.Repeat([]byte{7}, 1000)
	for _, parts := range [][][]byte{nil, {nil}, {{}}, {{1}}, {nil, {1}, long}, {long, long}} {
		want := sha256.Sum256(flat(append([][]byte{[]byte("entente/test/1")}, parts...)...))
		if got := Digest("entente/test/1", parts...); got != want {
			t.Errorf("%d parts: %x, want %x", len(parts), got, want)
		}
	}
}

// TestListsDiffer cuts the same bytes in every way: no two lists share a digest.
func TestListsDiffer(t *testing.T) {
	seen := map[[Size]byte]string{}
	put := func(label string, parts ...[]byte) {
		d, name := Digest(label, parts...), label+strconv.Quote(string(bytes.Join(parts, []byte("|"))))+strconv.Itoa(len(parts))
		if other, ok := seen[d]; ok {
			t.Errorf("%s and %s have one digest", name, other)
		}
		seen[d] = name
	}
	all := []byte("abcdef")
	for i := range len(all) + 1 {
		put(string(all[:i]), all[i:])
		for j := i; j <= len(all); j++ {
			put("l", all[:i], all[i:j], all[j:])
			put("l", all[:i], all[i:j], all[j:], nil)
		}
	}
	put("l")
	put("l", nil)
	put("l", nil, nil)
	put("l", all)
	put("l", flat(all))
	put("l", []byte{0, 0, 0, 0, 0, 0, 0, 0})
}

func TestTranscriptGrows(t *testing.T) {
	tr := New("entente/test/1")
	if tr.Sum() != Digest("entente/test/1") {
		t.Error("an empty transcript is not the digest of its label")
	}
	first := tr.Append("offer", []byte{1}).Sum()
	if first != Digest("entente/test/1", []byte("offer"), []byte{1}) {
		t.Error("a transcript is not the digest of its labels and parts")
	}
	if tr.Sum() != first {
		t.Error("Sum changes the transcript")
	}
	tr.Append("answer", nil)
	if tr.Sum() != Digest("entente/test/1", []byte("offer"), []byte{1}, []byte("answer"), nil) || tr.Sum() == first {
		t.Error("Sum ends the transcript")
	}
}

func TestVectors(t *testing.T) {
	all, err := vectors.Load("transcript")
	if err != nil || len(all) < 4 {
		t.Fatalf("%d vectors, %v", len(all), err)
	}
	for _, v := range all {
		want, err := v.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		var parts [][]byte
		for i := 1; ; i++ {
			text, ok := v.Input["part"+strconv.Itoa(i)]
			if !ok {
				break
			}
			part, err := hex.DecodeString(text)
			if err != nil {
				t.Fatal(err)
			}
			parts = append(parts, part)
		}
		got := Digest(v.Input["label"], parts...)
		if bytes.Equal(got[:], want) != v.Valid || (v.Fault == "other digest") == v.Valid {
			t.Errorf("%s: digest %x, vector %x, valid %v", v.Name, got, want, v.Valid)
		}
	}
}

func FuzzDigestIsInjective(f *testing.F) {
	f.Add([]byte("entente"), []byte("test"), []byte("part"), uint8(1))
	f.Fuzz(func(t *testing.T, a, b, c []byte, move uint8) {
		whole := append(bytes.Clone(b), c...)
		at := int(move) % (len(whole) + 1)
		b2, c2 := whole[:at], whole[at:]
		same := Digest(string(a), b, c) == Digest(string(a), b2, c2)
		if same != (at == len(b)) {
			t.Errorf("%x|%x and %x|%x", b, c, b2, c2)
		}
	})
}
