package audit

import (
	"errors"
	"fmt"

	"entente/crypto/sign"
	"entente/protocol/roster"
	"entente/protocol/round"
	"entente/protocol/wire"
)

// Certificate is the ReceiptCheck of match rounds.
func Certificate(file []byte, rosters Rosters, own string) (Receipt, error) {
	digest, err := rosterOf(file)
	if err != nil {
		return Receipt{}, err
	}
	r, ok := rosters(digest)
	if !ok {
		return Receipt{}, fmt.Errorf("was agreed under a roster that is not here, or not right: %s", keptName(digest))
	}
	offer, err := round.VerifyCertificate(file, digest, keyring(r))
	if err != nil {
		return Receipt{}, err
	}
	if offer.From != own && offer.To != own {
		return Receipt{}, errors.New("the receipt is about a round between others")
	}
	agreement, err := agreementOf(file)
	if err != nil {
		return Receipt{}, err
	}
	partner := offer.From
	if partner == own {
		partner = offer.To
	}
	sealed := round.CertificateDigest(file)
	return Receipt{Roster: digest, Partner: partner, Offered: offer.Created, Agreement: agreement, Sealed: sealed[:]}, nil
}

// rosterOf reads which roster a certificate names, before anything in it is verified:
// only under that roster can it be.
func rosterOf(file []byte) (digest [32]byte, err error) {
	var c round.Certificate
	if err := wire.Unmarshal(file, &c); err != nil {
		return digest, fmt.Errorf("read certificate: %w", err)
	}
	o, err := round.Peek(c.Offer)
	if err != nil {
		return digest, fmt.Errorf("read offer: %w", err)
	}
	if len(o.Roster) != len(digest) {
		return digest, errors.New("read offer: the roster's digest has a wrong length")
	}
	return [32]byte(o.Roster), nil
}

// agreementOf reads the agreement that a verified certificate's receipt names.
func agreementOf(file []byte) ([]byte, error) {
	var c round.Certificate
	if err := wire.Unmarshal(file, &c); err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	var r round.Receipt
	if err := wire.Unmarshal(c.Receipt.Body, &r); err != nil {
		return nil, fmt.Errorf("read receipt: %w", err)
	}
	return r.Agreement, nil
}

func keyring(r roster.Roster) round.Keyring {
	return func(id string) (*sign.PublicKey, [32]byte, bool) {
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
}
