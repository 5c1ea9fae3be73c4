package demo

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"entente/protocol/indicator"
)

// Bounds of a search. Anything shorter than shortest stands by chance in a few hundred
// kilobytes; eight bytes of a fingerprint do not (10,000 of them, 2^-64 each).
const (
	shortest = 6
	prefix   = 8 // of a fingerprint, so that truncated ones are found too
	keySize  = 4 // of the index
)

// listed is one value of one list, with all that somebody might have written of it.
type listed struct {
	value    indicator.Value
	original string
}

// hunt finds listed values in bytes: their spellings, and their fingerprints without
// a key, which anybody could compute for every number there is.
type hunt struct {
	index map[[keySize]byte][]form
	forms int
}

// form is one way in which a value could stand in the bytes.
type form struct {
	value int
	bytes []byte
}

func newHunt(values []listed) *hunt {
	h := &hunt{index: map[[keySize]byte][]form{}}
	for i, v := range values {
		seen := map[string]bool{}
		for _, b := range forms(v) {
			if len(b) < shortest || seen[string(b)] {
				continue
			}
			seen[string(b)] = true
			k := [keySize]byte(b)
			h.index[k] = append(h.index[k], form{i, b})
			h.forms++
		}
	}
	return h
}

// forms lists the spellings of a value and the fingerprints of its common forms.
func forms(v listed) [][]byte {
	canonical := v.value.Canonical()
	_, number, _ := strings.Cut(canonical, ":") // of a document without its issuer
	inputs := [][]byte{v.value.Element(), []byte(canonical), []byte(digits(canonical)), []byte(number)}
	out := append([][]byte{[]byte(v.original), []byte(digits(v.original))}, inputs...)
	for _, b := range inputs {
		if len(b) < shortest {
			continue
		}
		s256, s1, m5 := sha256.Sum256(b), sha1.Sum(b), md5.Sum(b)
		for _, sum := range [][]byte{s256[:], s1[:], m5[:]} {
			text := hex.EncodeToString(sum)
			out = append(out, sum[:prefix], []byte(text[:2*prefix]), []byte(strings.ToUpper(text[:2*prefix])),
				[]byte(base64.StdEncoding.EncodeToString(sum)[:10]))
		}
	}
	return out
}

// digits keeps the digits of a text.
func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// in counts where each value stands in the pieces, by its index.
func (h *hunt) in(pieces [][]byte) map[int]int {
	found := map[int]int{}
	for _, p := range pieces {
		ends := map[int]int{} // of each value's last place: its forms overlap
		for i := 0; i+keySize <= len(p); i++ {
			for _, f := range h.index[[keySize]byte(p[i:])] {
				if i >= ends[f.value] && bytes.HasPrefix(p[i:], f.bytes) {
					found[f.value]++
					ends[f.value] = i + len(f.bytes)
				}
			}
		}
	}
	return found
}
