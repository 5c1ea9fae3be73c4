package rounds

import (
	"context"
	"encoding/hex"
	"path"

	"entente/protocol/entry"
)

// Evidence returns what the rounds contribute to the audit folder: file names
// relative to it and their contents. Certificates hold both sides' signatures,
// openings what the sealed digests of the submitted chain stand for. have says
// which files are there already; they never change.
func (s *Service) Evidence(ctx context.Context, have func(name string) bool) (map[string][]byte, error) {
	all, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for _, f := range all {
		if name := path.Join("receipts", f.id.String()+".cbor"); len(f.Receipt) > 0 && !have(name) {
			if out[name], err = f.machine.Certificate(); err != nil {
				return nil, err
			}
		}
		for _, b := range [][]byte{f.Agreement, f.Receipt} {
			if len(b) == 0 {
				continue
			}
			o, err := entry.UnmarshalOpening(b)
			if err != nil {
				return nil, err
			}
			d := o.Digest()
			if name := path.Join("openings", hex.EncodeToString(d[:])+".cbor"); !have(name) {
				out[name] = b
			}
		}
	}
	return out, nil
}
