package standing

import (
	"context"
	"encoding/hex"
	"fmt"
	"path"

	"entente/node/store"
	"entente/protocol/entry"
	"entente/protocol/round"
	"entente/protocol/standing"
	"entente/protocol/wire"
)

// filedRecord is a partner's receipt for an auditor: one of each run. It is kept when the
// subscription is over.
type filedRecord struct {
	_       struct{} `codec:",toarray"`
	Signed  round.Signed
	Opening []byte // of the sealed digest in the submitted chain
}

// filedNumber orders receipts by tag period and run.
func filedNumber(index, run uint32) int64 { return int64(index)<<20 | int64(run) }

// Evidence returns what standing rounds contribute to the audit folder: file names relative
// to it and their contents. have says which files are there already; they never change.
func (s *Service) Evidence(ctx context.Context, have func(name string) bool) (map[string][]byte, error) {
	all, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for _, f := range all {
		if len(f.Agreement) > 0 {
			if err := agreementOf(f, have, out); err != nil {
				return nil, err
			}
		}
		for feed := range uint8(2) {
			if err := s.receipts(ctx, f, feed, have, out); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func agreementOf(f *file, have func(string) bool, out map[string][]byte) (err error) {
	if name := path.Join(standing.AgreementsFolder, standing.ID(f.ID).String()+".cbor"); !have(name) {
		if out[name], err = f.machine.Certificate(); err != nil {
			return err
		}
	}
	return opened(f.Agreement, have, out)
}

// receipts adds a feed's receipts. Those that were found in the folder once are not looked
// for again before the next start.
func (s *Service) receipts(ctx context.Context, f *file, feed uint8, have func(string) bool, out map[string][]byte) error {
	id := feedID{f.ID, feed}
	s.mu.Lock()
	first := s.mirrored[id]
	s.mu.Unlock()
	whole := true
	err := s.o.Store.View(ctx, func(tx *store.Tx) error {
		for rec, err := range tx.StandingRange(f.ID, int(feed), recordFiled, first) {
			if err != nil {
				return err
			}
			var r filedRecord
			if err := wire.Unmarshal(rec.Value, &r); err != nil {
				return fmt.Errorf("read a receipt of a standing round: %w", err)
			}
			name := path.Join(standing.ReceiptsFolder,
				fmt.Sprintf("%s-%d-%d-%d.cbor", standing.ID(f.ID), feed, rec.Number>>20, rec.Number&(1<<20-1)))
			before := len(out)
			if !have(name) {
				if out[name], err = wire.Marshal(r.Signed); err != nil {
					return err
				}
			}
			if err := opened(r.Opening, have, out); err != nil {
				return err
			}
			if whole = whole && len(out) == before; whole {
				first = rec.Number + 1
			}
		}
		return nil
	})
	s.mu.Lock()
	s.mirrored[id] = first
	s.mu.Unlock()
	return err
}

// opened adds the file of an opening.
func opened(b []byte, have func(string) bool, out map[string][]byte) error {
	o, err := entry.UnmarshalOpening(b)
	if err != nil {
		return err
	}
	d := o.Digest()
	if name := path.Join(entry.OpeningsFolder, hex.EncodeToString(d[:])+".cbor"); !have(name) {
		out[name] = b
	}
	return nil
}
