package ristretto

import (
	"crypto/sha512"
	"encoding"
	"fmt"
	"hash"
)

// digest is a SHA-512 whose state can be saved and put back without an allocation, which
// hash.Cloner cannot.
type digest interface {
	hash.Hash
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

// expander computes expand_message_xmd of RFC 9380 section 5.3.1 with SHA-512 for 64
// bytes of output, that is, for one block:
//
//	b_0 = H(Z_pad ‖ message ‖ 0x0040 ‖ 0x00 ‖ DST_prime)
//	b_1 = H(b_0 ‖ 0x01 ‖ DST_prime)
type expander struct {
	hash   digest
	padded []byte // the state after Z_pad, one block of zeros
	suffix []byte // 0x0040 ‖ 0x00 ‖ DST_prime
	one    []byte // b_0 ‖ 0x01 ‖ DST_prime
}

// setDomain prepares for a domain. Domains longer than 255 bytes are hashed as RFC 9380
// section 5.3.3 says; an empty one is refused with ErrSize, as section 3.1 demands.
func (e *expander) setDomain(domain []byte) error {
	if len(domain) == 0 {
		return fmt.Errorf("empty domain: %w", ErrSize)
	}
	if e.hash == nil {
		h, ok := sha512.New().(digest)
		if !ok {
			return fmt.Errorf("SHA-512 cannot save its state: %w", ErrKernel)
		}
		h.Write(make([]byte, sha512.BlockSize))
		padded, err := h.AppendBinary(nil)
		if err != nil {
			return fmt.Errorf("save the state of SHA-512: %w", err)
		}
		e.hash, e.padded = h, padded
	}
	if len(domain) > 255 {
		long := sha512.New()
		long.Write([]byte("H2C-OVERSIZE-DST-"))
		long.Write(domain)
		domain = long.Sum(nil)
	}
	e.suffix = append(e.suffix[:0], 0, UniformSize, 0)
	e.suffix = append(e.suffix, domain...)
	e.suffix = append(e.suffix, byte(len(domain)))
	e.one = append(e.one[:0], make([]byte, sha512.Size)...)
	e.one = append(e.one, 1)
	e.one = append(e.one, e.suffix[3:]...)
	return nil
}

// expand writes the expansion of a message. setDomain must have succeeded before.
func (e *expander) expand(out *[UniformSize]byte, message []byte) {
	if err := e.hash.UnmarshalBinary(e.padded); err != nil {
		panic("ristretto: SHA-512 does not take back its own state")
	}
	e.hash.Write(message)
	e.hash.Write(e.suffix)
	e.hash.Sum(e.one[:0])
	*out = sha512.Sum512(e.one)
}
