package standing

import (
	"context"
	"errors"
	"time"

	"entente/node/rounds"
	"entente/node/store"
	"entente/protocol/round"
	"entente/protocol/standing"
	"entente/protocol/wire"
)

// meter is a holder's account of questions. It implements standing.Meter: each call is one
// transaction of the store, which has one writer.
type meter struct{ *feed }

func (x *feed) meter() meter { return meter{x} }

// account reads the account of a tag period.
func (m meter) account(tx *store.Tx, index uint32) (standing.Account, error) {
	var a standing.Account
	if _, err := m.read(tx, recordAccount, 0, &a); err != nil {
		return a, err
	}
	if a.Index < index {
		if err := m.drop(tx, recordAnswer); err != nil {
			return a, err
		}
	}
	return a, a.Begin(index)
}

// Position tells where the account stands.
func (m meter) Position(ctx context.Context, index uint32) (p standing.Position, err error) {
	err = m.s.o.Store.Update(ctx, func(tx *store.Tx) error {
		a, err := m.account(tx, index)
		p = a.Position(now().UnixMilli())
		return err
	})
	return p, err
}

// Take charges a chunk before it is evaluated. A refusal is counted, and stored too.
func (m meter) Take(ctx context.Context, c standing.Chunk) (answer []byte, err error) {
	limits := standing.Limits{Queries: m.session.Queries, Checks: m.session.Checks}
	var refused error
	err = m.s.o.Store.Update(ctx, func(tx *store.Tx) error {
		a, err := m.account(tx, c.Index)
		if err != nil {
			return err
		}
		again, err := a.Take(limits, c, now().UnixMilli())
		switch {
		case err != nil:
			var broke *wire.ProtocolError
			if !errors.As(err, &broke) || broke.Code != wire.Quota {
				return err
			}
			refused = err
		case again:
			if b, err := tx.Standing(m.f.ID, m.number(), recordAnswer, int64(c.Number)); err == nil {
				answer = b
			} else if !errors.Is(err, store.ErrNotFound) {
				return err
			}
			return nil
		default:
			if err := tx.AddQuota(m.f.Partner, rounds.Day(now()), int64(c.Class)); err != nil {
				return err
			}
		}
		return m.write(tx, recordAccount, 0, a)
	})
	if err == nil {
		err = refused
	}
	return answer, err
}

// Keep stores an answer before it is sent.
func (m meter) Keep(ctx context.Context, index, number uint32, answer []byte) error {
	return m.s.o.Store.Update(ctx, func(tx *store.Tx) error {
		return tx.PutStanding(m.f.ID, m.number(), recordAnswer, int64(number), answer)
	})
}

// Acknowledged drops the answers that the asker has.
func (m meter) Acknowledged(ctx context.Context, index, next uint32) error {
	return m.s.o.Store.Update(ctx, func(tx *store.Tx) error {
		a, err := m.account(tx, index)
		if err != nil {
			return err
		}
		if err := a.Acknowledge(index, next); err != nil {
			return err
		}
		if err := tx.DropStanding(m.f.ID, m.number(), recordAnswer, int64(a.Acknowledged)); err != nil {
			return err
		}
		return m.write(tx, recordAccount, 0, a)
	})
}

// receiptRecord is the newest receipt of a partner.
type receiptRecord struct {
	_       struct{} `codec:",toarray"`
	Signed  round.Signed
	Run     uint32
	Index   uint32
	Removed uint32
	Time    int64
}

// Applied stores a partner's receipt; when it says something new also its sealed digest, and
// a copy for the auditor.
func (m meter) Applied(ctx context.Context, a standing.Applied, s round.Signed) error {
	fresh := false
	err := m.s.o.Store.Update(ctx, func(tx *store.Tx) error {
		var last receiptRecord
		found, err := m.read(tx, recordReceipt, 0, &last)
		if err != nil || found && last.Index == a.Index && last.Run == a.Run {
			return err
		}
		fresh = true
		opening, err := submit(tx, standing.AppliedLabel, s.Body, time.Now())
		if err != nil {
			return err
		}
		if err := m.write(tx, recordFiled, filedNumber(a.Index, a.Run), filedRecord{Signed: s, Opening: opening}); err != nil {
			return err
		}
		r := receiptRecord{Signed: s, Run: a.Run, Index: a.Index, Removed: a.Removed, Time: a.Time}
		return m.write(tx, recordReceipt, 0, r)
	})
	if err == nil && fresh {
		m.s.submitted()
	}
	return err
}
