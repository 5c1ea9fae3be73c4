package sign

import (
	"encoding/hex"
	"strings"
	"testing"
)

// TestProquints has the examples of arXiv:0901.4016, which are IPv4 addresses.
func TestProquints(t *testing.T) {
	for in, want := range map[string]string{
		"7f000001": "lusab babad", "3f54dcc1": "gutih tugad", "3f760723": "gutuk bisog",
		"8c62c18d": "mudof sakat", "40ff06c8": "haguz biram", "801e342d": "mabiv gibot",
		"93437702": "natag lisaf", "d43afd44": "tibup zujah", "00000000": "babab babab", "ffffffff": "zuzuz zuzuz",
	} {
		var d [32]byte
		if _, err := hex.Decode(d[:], []byte(in)); err != nil {
			t.Fatal(err)
		}
		if got := Words(d); !strings.HasPrefix(got, want+" ") || !strings.HasSuffix(got, "babab babab") {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestWordsTellDigestsApart(t *testing.T) {
	seen := map[string]bool{Words([32]byte{}): true}
	for bit := range 128 {
		var d [32]byte
		d[bit/8] = 1 << (bit % 8)
		w := Words(d)
		if seen[w] || len(strings.Fields(w)) != 8 || len(w) != 8*5+7 {
			t.Errorf("bit %d: %q", bit, w)
		}
		seen[w] = true
	}
	if a, b := Words([32]byte{16: 1}), Words([32]byte{}); a != b {
		t.Error("more than 128 bits are spoken")
	}
}

func TestEverySyllableReadsBack(t *testing.T) {
	for n := range 1 << 16 {
		w := proquint(uint16(n))
		back := 0
		for i, c := range w {
			letters, bits := consonants, 4
			if i%2 == 1 {
				letters, bits = vowels, 2
			}
			back = back<<bits | strings.IndexRune(letters, c)
		}
		if back != n || len(w) != 5 {
			t.Fatalf("%d is %s is %d", n, w, back)
		}
	}
}
