package tally

import (
	"entente/crypto/sign"
	"entente/crypto/transcript"
)

// Digest names a signed message by its body: the label is its signature's domain.
func Digest(s Signed, d sign.Domain) [32]byte { return transcript.Digest(string(d), s.Body) }

// Reference is the seed of the common reference polynomial of a proposal's key.
func Reference(proposal [32]byte) [32]byte {
	return transcript.Digest("entente/tally/reference/1", proposal[:])
}

// PartCommitment commits a holder to the public polynomial that it will deal. The name is in
// it, so that another's commitment cannot be taken as one's own.
func PartCommitment(proposal [32]byte, holder string, public []byte) [32]byte {
	return transcript.Digest("entente/tally/part-commitment/1", proposal[:], []byte(holder), public)
}

// CallNote names, in a member's journal, the key call of a proposal that it has answered.
func CallNote(proposal [32]byte, member string) [32]byte {
	return transcript.Digest("entente/tally/answered-call/1", proposal[:], []byte(member))
}

// SealInfo binds what is sealed to its place: of which key call, by which dealer, for which.
func SealInfo(call [32]byte, from, to uint8) [32]byte {
	return transcript.Digest("entente/tally/seal/1", call[:], []byte{from}, []byte{to})
}

// SealedDigest is what a part holds of a sealed share.
func SealedDigest(sealed []byte) [32]byte { return transcript.Digest("entente/tally/sealed/1", sealed) }

// MasksDigest begins the digest of a contributor's masks, which are appended as "block". The
// name is in it, as in PartCommitment.
func MasksDigest(key [32]byte, contributor string) *transcript.Transcript {
	return transcript.New("entente/tally/masks/1").Append("key", key[:]).Append("contributor", []byte(contributor))
}

// BodiesDigest is MasksDigest for bodies.
func BodiesDigest(key [32]byte, contributor string) *transcript.Transcript {
	return transcript.New("entente/tally/bodies/1").Append("key", key[:]).Append("contributor", []byte(contributor))
}

// ShareDigest is what the head of a decryption share holds of its polynomials.
func ShareDigest(share []byte) [32]byte {
	return transcript.Digest("entente/tally/share-blocks/1", share)
}

// SeedCommitment commits a contributor to the seed of its contribution, before the key is known
// on which its noise depends as well. The name is in it, as in PartCommitment.
func SeedCommitment(proposal [32]byte, contributor string, seed []byte) [32]byte {
	return transcript.Digest("entente/tally/seed-commitment/1", proposal[:], []byte(contributor), seed)
}

// NoiseSeed is the seed of the stream from which a contributor's noise is drawn under a key.
func NoiseSeed(seed []byte, key [32]byte) [32]byte {
	return transcript.Digest("entente/tally/noise/1", seed, key[:])
}

// NoiseStream is the label of that stream, whose index is 0.
const NoiseStream = "entente/tally/noise-stream/1"

// Suppress turns a sum, noise included, into what is shown: the sums from limit on.
func Suppress(sums []int32, limit uint32) []uint32 {
	out := make([]uint32, len(sums))
	for i, n := range sums {
		if n > 0 && uint32(n) >= limit {
			out[i] = uint32(n)
		}
	}
	return out
}

// chunkHead is the length of a chunk's head: of whom it is, and which part.
const chunkHead = 2

// Chunk is a frame of bulk bytes outside CBOR.
type Chunk struct {
	Of   uint8 // place of the dealer, contributor or holder
	Part uint8 // place of the recipient of a sealed share, or number of a block; else 0
	Data []byte
}

func (c Chunk) bytes() []byte {
	b := make([]byte, 0, chunkHead+len(c.Data))
	return append(append(b, c.Of, c.Part), c.Data...)
}
