package similar

import (
	"crypto/sha256"
	"fmt"
	"iter"

	"entente/crypto/he"
	"entente/protocol/wire"
)

// Queries are the digests of the queries that an asker with this session, its secret opened,
// sends for these probes: SHA-256 of the bodies of PublicKey and all Ciphertexts of a batch. An
// auditor compares them with those in the answerer's Result. If one differs the asker did not
// encrypt these probes, or not with errors from the secret that it had committed to.
func Queries(s Session, probes Probes) ([][32]byte, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	if Commit(s.Secret) != s.Commitment {
		return nil, fmt.Errorf("%w: the secret is not the one committed to", ErrChanged)
	}
	params, err := he.New()
	if err != nil {
		return nil, err
	}
	next, stop := iter.Pull2(probes.All())
	defer stop()
	out := make([][32]byte, s.batches())
	for batch := range out {
		own, err := readBatch(s.layout(), next)
		if err != nil {
			return nil, fmt.Errorf("read probes: %w", err)
		}
		digest := sha256.New()
		_, err = s.query(params, batch, own, func(_ wire.Kind, body []byte) error {
			digest.Write(body)
			return nil
		})
		if err != nil {
			return nil, err
		}
		out[batch] = [32]byte(digest.Sum(nil))
	}
	return out, nil
}
