package standing

import (
	"bytes"

	"entente/protocol/wire"
)

// Chunk is a chunk of questions as its holder accounts for it.
type Chunk struct {
	Index  uint32 // tag period
	Number uint32
	Urgent bool
	Class  int
	Digest [32]byte // of all that the asker asked
}

// Position is where a holder's account of questions stands. The holder tells it, so that an
// asker does not ask over the quota, and can go on after a loss of its own records.
type Position struct {
	_            struct{} `codec:",toarray"`
	Next         uint32   // number of the next chunk
	Acknowledged uint32   // chunks below have no stored answer any more
	Used         uint32   // places of the period's quota
	Checks       uint32   // urgent checks of the current UTC day
}

// Account decides which chunk a holder evaluates. It is the durable record behind a Meter:
// load it, call one method, store it, as one transaction. The zero value is that of a feed
// without any period yet.
type Account struct {
	_            struct{} `codec:",toarray"`
	Index        uint32   // tag period
	Next         uint32
	Acknowledged uint32
	Used         uint32
	Day          int64 // UTC day that Checks counts, in days since 1970
	Checks       uint32
	Refused      uint32     // chunks refused for the quota, over all periods
	Open         [][32]byte // digests of the chunks from Acknowledged to Next
}

// Limits are the agreed bounds that an Account keeps.
type Limits struct {
	Queries uint32 // places in a tag period
	Checks  uint32 // urgent checks in a UTC day
}

// Begin makes the account that of a tag period, if it is a later one than before. Urgent
// checks of the day go on counting: a new period does not bring new ones.
func (a *Account) Begin(index uint32) error {
	switch {
	case index == a.Index:
		return nil
	case index < a.Index:
		return ErrOver
	}
	*a = Account{Index: index, Day: a.Day, Checks: a.Checks, Refused: a.Refused}
	return nil
}

// Position returns where the account stands at now, in Unix milliseconds.
func (a *Account) Position(now int64) Position {
	p := Position{Next: a.Next, Acknowledged: a.Acknowledged, Used: a.Used, Checks: a.Checks}
	if day(now) > a.Day {
		p.Checks = 0
	}
	return p
}

// Take charges a chunk, at now in Unix milliseconds, and reports whether it is one that was
// charged before. An error is the peer's fault and leaves the account as it was, but for the
// count of refusals with code Quota, which is to be stored as well.
func (a *Account) Take(l Limits, c Chunk, now int64) (again bool, err error) {
	switch {
	case c.Index != a.Index:
		return false, ErrOver
	case c.Number < a.Acknowledged:
		return false, fault(wire.UnknownRound, "chunk %d was acknowledged", c.Number)
	case c.Number < a.Next:
		if known := a.Open[c.Number-a.Acknowledged]; !bytes.Equal(known[:], c.Digest[:]) {
			return false, fault(wire.Replayed, "chunk %d came with other questions", c.Number)
		}
		return true, nil
	case c.Number > a.Next:
		return false, fault(wire.Malformed, "chunk %d came when %d was next", c.Number, a.Next)
	case c.Number >= MaxChunks:
		return false, fault(wire.TooLarge, "chunk %d of one tag period", c.Number)
	case c.Number-a.Acknowledged >= Window:
		return false, fault(wire.Malformed, "chunk %d came when %d was not acknowledged", c.Number, a.Acknowledged)
	}
	if err := a.charge(l, c, day(now)); err != nil {
		a.Refused++
		return false, err
	}
	a.Next++
	a.Open = append(a.Open, c.Digest)
	return false, nil
}

// charge counts a chunk's places. A day that lies before the last one counted is taken for
// that one, so that a clock put back brings no new checks.
func (a *Account) charge(l Limits, c Chunk, today int64) error {
	if !c.Urgent {
		if uint64(a.Used)+uint64(c.Class) > uint64(l.Queries) {
			return fault(wire.Quota, "%d places are over the quota: %d of %d are used", c.Class, a.Used, l.Queries)
		}
		a.Used += uint32(c.Class)
		return nil
	}
	used := a.Checks
	if today > a.Day {
		used = 0
	}
	if used >= l.Checks {
		return fault(wire.Quota, "%d urgent checks are agreed for a day", l.Checks)
	}
	a.Day, a.Checks = max(a.Day, today), used+1
	return nil
}

// Acknowledge notes that the asker holds the answers of all chunks below next. A number that
// goes back changes nothing: the asker may have lost what it had.
func (a *Account) Acknowledge(index, next uint32) error {
	switch {
	case index != a.Index:
		return ErrOver
	case next > a.Next:
		return fault(wire.Malformed, "%d chunks are acknowledged, %d came", next, a.Next)
	case next > a.Acknowledged:
		a.Open = append([][32]byte(nil), a.Open[next-a.Acknowledged:]...)
		a.Acknowledged = next
	}
	return nil
}

// day is the UTC day of a time in Unix milliseconds.
func day(now int64) int64 { return now / (24 * 60 * 60 * 1000) }
