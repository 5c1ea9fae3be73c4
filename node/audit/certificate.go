package audit

import (
	"errors"

	"entente/crypto/sign"
	"entente/protocol/roster"
	"entente/protocol/round"
)

// Certificate is the ReceiptCheck of match rounds.
func Certificate(file []byte, r roster.Roster, own string) ([]byte, error) {
	keys := func(id string) (*sign.PublicKey, [32]byte, bool) {
		m, ok := r.Find(id)
		if !ok {
			return nil, [32]byte{}, false
		}
		key, err := m.PublicKey()
		if err != nil {
			return nil, [32]byte{}, false
		}
		digest, err := m.Digest()
		return key, digest, err == nil
	}
	offer, err := round.VerifyCertificate(file, r.Digest(), keys)
	if err != nil {
		return nil, err
	}
	if offer.From != own && offer.To != own {
		return nil, errors.New("the receipt is about a round between others")
	}
	sealed := round.CertificateDigest(file)
	return sealed[:], nil
}
