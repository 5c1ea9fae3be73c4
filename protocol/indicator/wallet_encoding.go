package indicator

import (
	"bytes"
	"crypto/sha256"
	"strings"
)

const (
	base58Alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	bech32Alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	base58Payload  = 21 // version byte and 20 bytes of hash
	base58Bytes    = base58Payload + 4
	maxBase58      = 35 // characters that 25 bytes can take
)

// base58check decodes version byte and hash and verifies the four checksum bytes.
func base58check(s string) ([]byte, *Rejection) {
	if len(s) < 25 || len(s) > maxBase58 {
		return nil, reject(ReasonUnknownChain)
	}
	var b [base58Bytes]byte
	for i := range len(s) {
		carry := strings.IndexByte(base58Alphabet, s[i])
		if carry < 0 {
			return nil, reject(ReasonCharacters)
		}
		for j := len(b) - 1; j >= 0; j-- {
			carry += 58 * int(b[j])
			b[j] = byte(carry)
			carry >>= 8
		}
		if carry != 0 {
			return nil, reject(ReasonUnknownChain)
		}
	}
	// Only one writing of a value is an address: the encoding of its bytes.
	if base58checkEncode(b[:base58Payload]) != s {
		return nil, reject(ReasonChecksum)
	}
	return b[:base58Payload], nil
}

// base58checkEncode appends the checksum and encodes.
func base58checkEncode(payload []byte) string {
	first := sha256.Sum256(payload)
	second := sha256.Sum256(first[:])
	return base58(append(bytes.Clone(payload), second[:4]...))
}

// base58 writes leading zero bytes as 1 and the rest as a number.
func base58(b []byte) string {
	var digits []byte // least significant first
	for _, c := range b {
		carry := int(c)
		for i := range digits {
			carry += int(digits[i]) << 8
			digits[i] = byte(carry % 58)
			carry /= 58
		}
		for carry > 0 {
			digits = append(digits, byte(carry%58))
			carry /= 58
		}
	}
	var out strings.Builder
	for i := 0; i < len(b) && b[i] == 0; i++ {
		out.WriteByte(base58Alphabet[0])
	}
	for i := len(digits) - 1; i >= 0; i-- {
		out.WriteByte(base58Alphabet[digits[i]])
	}
	return out.String()
}

// segwit reads an address of BIP-173 (version 0, bech32) or BIP-350 (later, bech32m) and
// returns it in lower case.
func segwit(s string) (string, *Rejection) {
	lower := strings.ToLower(s)
	if s != lower && s != strings.ToUpper(s) {
		return "", reject(ReasonChecksum) // mixed case is not allowed in bech32
	}
	if len(s) > 90 {
		return "", reject(ReasonTooLong)
	}
	at := strings.LastIndexByte(lower, '1')
	prefix := lower[:at]
	values := make([]byte, 0, len(lower))
	for i := at + 1; i < len(lower); i++ {
		v := strings.IndexByte(bech32Alphabet, lower[i])
		if v < 0 {
			return "", reject(ReasonCharacters)
		}
		values = append(values, byte(v))
	}
	if len(values) < 7 {
		return "", reject(ReasonTooShort)
	}
	if r := checkSegwit(prefix, values); r != nil {
		return "", r
	}
	if prefix != "bc" {
		return "", reject(ReasonTestNetwork)
	}
	return lower, nil
}

// checkSegwit verifies checksum, version, program length and padding.
func checkSegwit(prefix string, values []byte) *Rejection {
	const bech32, bech32m = 1, 0x2BC830A3
	version, program := values[0], values[1:len(values)-6]
	want := uint32(bech32m)
	if version == 0 {
		want = bech32
	}
	if bech32Polymod(prefix, values) != want {
		return reject(ReasonChecksum)
	}
	size := len(program) * 5 / 8
	padding := len(program)*5 - size*8
	switch {
	case size < 2 || size > 40, version == 0 && size != 20 && size != 32:
		return reject(ReasonWrongLength)
	case version > 16, padding > 4, program[len(program)-1]&(1<<padding-1) != 0:
		return reject(ReasonStructure)
	}
	return nil
}

// bech32Polymod is the checksum of BIP-173 over prefix and values.
func bech32Polymod(prefix string, values []byte) uint32 {
	generator := [5]uint32{0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3}
	c := uint32(1)
	step := func(v byte) {
		top := c >> 25
		c = (c&0x1FFFFFF)<<5 ^ uint32(v)
		for i, g := range generator {
			if top>>i&1 == 1 {
				c ^= g
			}
		}
	}
	for i := range len(prefix) {
		step(prefix[i] >> 5)
	}
	step(0)
	for i := range len(prefix) {
		step(prefix[i] & 31)
	}
	for _, v := range values {
		step(v)
	}
	return c
}
