package sign

import (
	"encoding/binary"
	"strings"
)

// Letters of proquints (arXiv:0901.4016): a consonant for four bits, a vowel for two.
const (
	consonants = "bdfghjklmnprstvz"
	vowels     = "aiou"
)

// Words returns the first 128 bits of a digest as eight five-letter words, sixteen bits
// each, that two people can compare by telephone in any language. To find a second value
// with the same words takes about 2¹²⁸ tries.
func Words(digest [32]byte) string {
	words := make([]string, 8)
	for i := range words {
		words[i] = proquint(binary.BigEndian.Uint16(digest[2*i:]))
	}
	return strings.Join(words, " ")
}

func proquint(n uint16) string {
	return string([]byte{
		consonants[n>>12], vowels[n>>10&3], consonants[n>>6&15], vowels[n>>4&3], consonants[n&15],
	})
}
