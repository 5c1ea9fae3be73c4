package similar

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"

	"entente/crypto/transcript"
)

// order gives the places of a side's list: an asker's probes in their order, an answerer's
// templates shuffled among the places that only fill the list up. Those have −1.
func (s *Session) order(r role, length int) ([]int, error) {
	places := s.Probes
	if r == answerer {
		places = s.replies() * s.layout().Templates()
	}
	out := make([]int, places)
	for i := range out {
		if out[i] = i; i >= length {
			out[i] = -1
		}
	}
	if r == asker {
		return out, nil
	}
	digest := s.digest()
	key := transcript.Digest(orderLabel, s.Secret[:], digest[:])
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("order templates: %w", err)
	}
	draw := cipher.NewCTR(block, make([]byte, aes.BlockSize))
	for i := len(out) - 1; i > 0; i-- {
		// 64 bits modulo at most 2³¹: off from uniform by less than 2⁻³³.
		var b [8]byte
		draw.XORKeyStream(b[:], b[:])
		j := binary.BigEndian.Uint64(b[:]) % uint64(i+1)
		out[i], out[j] = out[j], out[i]
	}
	return out, nil
}
