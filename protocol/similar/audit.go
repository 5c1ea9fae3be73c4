package similar

import (
	"context"
	"crypto/sha256"
	"errors"

	"entente/crypto/he"
	"entente/protocol/wire"
)

// Queries are the digests of the queries that an asker with this session, its secret opened,
// sends for these probes: SHA-256 of the bodies of PublicKey and all Ciphertexts of a batch. An
// auditor compares them with those of the run's Result. If one differs the asker did not
// encrypt these probes, or not with errors from the secret that it had committed to.
func Queries(ctx context.Context, s Session, probes Vectors) (out [][32]byte, err error) {
	err = queries(ctx, s, probes, func(_ *he.Parameters, _ int, frames [][]byte) error {
		out = append(out, digestOf(frames))
		return nil
	})
	return out, err
}

// Replies are the digests of the replies that an answerer with this session, its secret
// opened, sends for these templates, one for each block: SHA-256 of the body of Reply. It takes
// the asker's session and probes opened too, for the query that they answer.
func Replies(ctx context.Context, askers Session, probes Vectors, s Session, templates Vectors) (out [][32]byte, err error) {
	own, err := s.agree()
	if err != nil {
		return nil, err
	}
	if err := s.opened(answerer); err != nil {
		return nil, err
	}
	if askers.digest() != own.id {
		return nil, errors.New("both sessions are not of one run")
	}
	l, err := own.list(answerer, templates)
	if err != nil {
		return nil, err
	}
	err = queries(ctx, askers, probes, func(p *he.Parameters, batch int, frames [][]byte) error {
		a, err := newAnswering(p, own, &l, frames[0])
		if err != nil {
			return err
		}
		for _, c := range frames[1:] {
			if err := a.query.Take(c); err != nil {
				return err
			}
		}
		a.digest = digestOf(frames)
		for block := own.start(batch); block < own.start(batch+1); block++ {
			replies, err := a.replies(ctx, block, 1)
			if err != nil {
				return err
			}
			out = append(out, sha256.Sum256(replies[0].Ciphertext))
		}
		return nil
	})
	return out, err
}

// queries gives the frames of each batch's query.
func queries(ctx context.Context, s Session, probes Vectors, next func(p *he.Parameters, batch int, frames [][]byte) error) error {
	x, err := s.agree()
	if err != nil {
		return err
	}
	if err := s.opened(asker); err != nil {
		return err
	}
	l, err := x.list(asker, probes)
	if err != nil {
		return err
	}
	params, err := he.New()
	if err != nil {
		return err
	}
	for batch := range x.batches {
		own, inputs, err := l.read(ctx, x.probes(batch))
		if err != nil {
			return err
		}
		var frames [][]byte
		_, err = x.query(params, batch, own, inputs, func(_ wire.Kind, body []byte) error {
			frames = append(frames, body)
			return nil
		})
		if err != nil {
			return err
		}
		if err := next(params, batch, frames); err != nil {
			return err
		}
	}
	return nil
}

func digestOf(frames [][]byte) [32]byte {
	digest := sha256.New()
	for _, b := range frames {
		digest.Write(b)
	}
	return [32]byte(digest.Sum(nil))
}
