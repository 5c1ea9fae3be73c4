package checkpoint

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"entente/crypto/sign"
)

// Types of C2SP signatures.
const (
	typeNote    = 0x01 // Ed25519 over the note's text
	typeEd25519 = 0x04 // cosignature/v1
	typeMLDSA44 = 0x06 // subtree/v1
)

// keys returns each half's type and key bytes.
func (s Signature) keys(key *sign.CosigningPublicKey) [2][]byte {
	classic := byte(typeNote)
	if s.Role == Cosigner {
		classic = typeEd25519
	}
	return [2][]byte{append([]byte{classic}, key.Ed25519()...), append([]byte{typeMLDSA44}, key.MLDSA44()...)}
}

// keyHash is the four bytes by which a note tells keys apart.
func keyHash(name string, key []byte) uint32 {
	d := sha256.Sum256(append([]byte(name+"\n"), key...))
	return binary.BigEndian.Uint32(d[:])
}

// VerifierKeys returns the keys under which other tools check a member's lines in a Note,
// as C2SP writes them: Ed25519, then ML-DSA-44.
func VerifierKeys(federation [32]byte, member string, role Role, key *sign.CosigningPublicKey) [2]string {
	s := Signature{Member: member, Role: role}
	name := s.name(federation)
	var out [2]string
	for i, k := range s.keys(key) {
		out[i] = fmt.Sprintf("%s+%08x+%s", name, keyHash(name, k), base64.StdEncoding.EncodeToString(k))
	}
	return out
}

// Note returns the signed checkpoint as a C2SP signed note, for other tools: sequencers
// first, then cosigners, by their ids, two lines each. It does not verify.
func (c Committee) Note(s Signed) (string, error) {
	p, err := s.Checkpoint()
	if err != nil {
		return "", fmt.Errorf("write note: %w", err)
	}
	signatures := slices.Clone(s.Signatures)
	slices.SortStableFunc(signatures, func(a, b Signature) int {
		if a.Role != b.Role {
			return int(a.Role) - int(b.Role)
		}
		return strings.Compare(a.Member, b.Member)
	})
	var b strings.Builder
	b.Write(s.Text)
	b.WriteByte('\n')
	for _, one := range signatures {
		seat, ok := c.Seats[one.Member]
		if !ok {
			return "", fmt.Errorf("write note: %s is no member", one.Member)
		}
		name := one.name(p.Origin.Federation)
		timed := binary.BigEndian.AppendUint64(nil, uint64(one.Time))
		classic := one.Ed25519
		if one.Role == Cosigner {
			classic = append(slices.Clone(timed), classic...)
		}
		halves := [2][]byte{classic, append(timed, one.MLDSA44...)}
		for i, k := range one.keys(seat.Key) {
			line := binary.BigEndian.AppendUint32(nil, keyHash(name, k))
			fmt.Fprintf(&b, "— %s %s\n", name, base64.StdEncoding.EncodeToString(append(line, halves[i]...)))
		}
	}
	return b.String(), nil
}

// Proof writes the proof that a tree holds its entry of an index as a C2SP tlog-proof: index,
// hashes, and the tree's checkpoint as a signed note. It does not verify.
func Proof(index uint64, hashes []Hash, note string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "c2sp.org/tlog-proof@v1\nindex %d\n", index)
	for _, h := range hashes {
		b.WriteString(base64.StdEncoding.EncodeToString(h[:]))
		b.WriteByte('\n')
	}
	return b.String() + "\n" + note
}
