package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"time"
)

// Round is one match round as its side keeps it. What Record and Secret hold is the
// business of node/rounds; both are sealed, and Secret is never in a backup.
type Round struct {
	ID       [16]byte
	Partner  string
	Proposer bool // this side proposed it
	State    string
	Created  time.Time
	Updated  time.Time
	Expires  time.Time
	Snapshot int64 // 0: none yet, or dropped
	// Restored says that the round came back from a backup: its secret and journal
	// are gone for good, so one that is not over must be failed.
	Restored bool
	Record   []byte
	Secret   []byte // used by this round alone; empty: none
}

// String hides record and secret.
func (r Round) String() string { return fmt.Sprintf("[round %x]", r.ID) }

// Format prints String, whatever the verb.
func (r Round) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, r.String()) }

// LogValue logs String.
func (r Round) LogValue() slog.Value { return slog.StringValue(r.String()) }

// PutRound stores a round as it is given, in place of what was stored under its ID.
// An empty Secret destroys the stored one.
func (t *Tx) PutRound(r Round) error {
	sealed := t.store.keys.column.Seal(r.Record, place("rounds", "record", r.ID[:]))
	_, err := t.exec(`INSERT INTO rounds (id, partner, proposer, state, created, updated, expires, snapshot, restored, sealed)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET partner = excluded.partner, proposer = excluded.proposer, state = excluded.state,
		created = excluded.created, updated = excluded.updated, expires = excluded.expires,
		snapshot = excluded.snapshot, restored = excluded.restored, sealed = excluded.sealed`,
		r.ID[:], r.Partner, flag(r.Proposer), r.State, millis(r.Created), millis(r.Updated), millis(r.Expires),
		r.Snapshot, flag(r.Restored), sealed)
	if err != nil {
		return fmt.Errorf("put round: %w", err)
	}
	if len(r.Secret) == 0 {
		return t.DropSecret(r.ID)
	}
	sealed = t.store.keys.column.Seal(r.Secret, place("round_secrets", "sealed", r.ID[:]))
	if _, err := t.exec("INSERT OR REPLACE INTO round_secrets (round, sealed) VALUES (?, ?)", r.ID[:], sealed); err != nil {
		return fmt.Errorf("put round: %w", err)
	}
	return nil
}

const roundQuery = `SELECT r.id, r.partner, r.proposer, r.state, r.created, r.updated, r.expires,
	r.snapshot, r.restored, r.sealed, s.round IS NOT NULL, s.sealed FROM rounds r LEFT JOIN round_secrets s ON s.round = r.id`

// Round returns one round with its secret. errors.Is ErrNotFound.
func (t *Tx) Round(id [16]byte) (Round, error) {
	r, err := t.scanRound(func(into ...any) error {
		return t.row(roundQuery+" WHERE r.id = ?", []any{id[:]}, into...)
	})
	if err != nil {
		return Round{}, fmt.Errorf("read round: %w", err)
	}
	return r, nil
}

// Rounds returns all rounds with their secrets, oldest first.
func (t *Tx) Rounds() ([]Round, error) {
	var out []Round
	err := t.rows(roundQuery+" ORDER BY r.created, r.id", nil, func(scan func(...any) error) error {
		r, err := t.scanRound(scan)
		out = append(out, r)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read rounds: %w", err)
	}
	return out, nil
}

func (t *Tx) scanRound(scan func(...any) error) (Round, error) {
	var r Round
	var id, record, secret []byte
	var created, updated, expires int64
	var secretive bool
	err := scan(&id, &r.Partner, &r.Proposer, &r.State, &created, &updated, &expires, &r.Snapshot, &r.Restored, &record, &secretive, &secret)
	if err != nil {
		return Round{}, err
	}
	if len(id) != len(r.ID) {
		return Round{}, fmt.Errorf("%w: a round's identifier has %d bytes", ErrDamaged, len(id))
	}
	copy(r.ID[:], id)
	r.Created, r.Updated, r.Expires = moment(created), moment(updated), moment(expires)
	if r.Record, err = unseal(t.store.keys.column, record, "rounds", "record", id); err != nil {
		return Round{}, err
	}
	if secretive {
		if r.Secret, err = unseal(t.store.keys.column, secret, "round_secrets", "sealed", id); err != nil {
			return Round{}, err
		}
	}
	return r, nil
}

// DropSecret destroys a round's secret. One that is not there is no error.
func (t *Tx) DropSecret(id [16]byte) error {
	n, err := t.exec("DELETE FROM round_secrets WHERE round = ?", id[:])
	if err != nil {
		return fmt.Errorf("drop the secret of a round: %w", err)
	}
	t.erased = t.erased || n > 0
	return nil
}

// Hit is an own record that the partner has too. It prints nothing of itself.
type Hit struct {
	Position  int64 // in the round's snapshot
	Indicator int64
	Proof     []byte
	State     string // of its review; empty: not reviewed
}

// Format prints a placeholder, whatever the verb.
func (h Hit) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[hit]") }

// PutHits stores hits of a round, in place of those at the same positions.
func (t *Tx) PutHits(round [16]byte, hits []Hit) error {
	for _, h := range hits {
		plain := append(number(h.Indicator), h.Proof...)
		sealed := t.store.keys.column.Seal(plain, place("hits", "sealed", hitRow(round, h.Position)))
		_, err := t.exec("INSERT OR REPLACE INTO hits (round, position, state, sealed) VALUES (?, ?, ?, ?)",
			round[:], h.Position, h.State, sealed)
		if err != nil {
			return fmt.Errorf("put hits: %w", err)
		}
	}
	return nil
}

// Hits returns the hits of a round by position.
func (t *Tx) Hits(round [16]byte) ([]Hit, error) { return t.HitsFrom(round, -1<<63) }

// DropHits erases the hits of a round, whose time has come, and returns how many
// there were.
func (t *Tx) DropHits(round [16]byte) (int64, error) {
	n, err := t.exec("DELETE FROM hits WHERE round = ?", round[:])
	if err != nil {
		return 0, fmt.Errorf("erase hits: %w", err)
	}
	t.erased = t.erased || n > 0
	return n, nil
}

func hitRow(round [16]byte, position int64) []byte {
	return binary.BigEndian.AppendUint64(round[:], uint64(position))
}

// Journal is what one run of a round keeps so that it can go on after a disconnect
// or a crash. It implements the journal of the exact protocols.
type Journal struct {
	store *Store
	round [16]byte
	run   int
}

// Journal returns the journal of one run.
func (s *Store) Journal(round [16]byte, run int) *Journal {
	return &Journal{store: s, round: round, run: run}
}

func (j *Journal) row(flow string, sequence int) []byte {
	b := binary.BigEndian.AppendUint64(j.round[:], uint64(j.run))
	b = binary.BigEndian.AppendUint64(b, uint64(sequence))
	return append(b, flow...)
}

// Put makes one chunk of a flow durable before it returns. The same chunk may be put
// again; other data at its place are ErrConflict.
func (j *Journal) Put(ctx context.Context, flow string, sequence int, data []byte) error {
	err := j.store.Update(ctx, func(tx *Tx) error {
		row := j.row(flow, sequence)
		sealed := j.store.keys.column.Seal(data, place("journal", "sealed", row))
		n, err := tx.exec("INSERT OR IGNORE INTO journal (round, run, flow, sequence, sealed) VALUES (?, ?, ?, ?, ?)",
			j.round[:], j.run, flow, sequence, sealed)
		if err != nil || n == 1 {
			return err
		}
		have, err := tx.chunk(j, flow, sequence)
		if err == nil && string(have) != string(data) {
			return ErrConflict
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	return nil
}

// Chunks gives the chunks of a flow from number 0 on, as far as there is no gap.
func (j *Journal) Chunks(ctx context.Context, flow string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for sequence := 0; ; sequence++ {
			var b []byte
			found := true
			err := j.store.View(ctx, func(tx *Tx) error {
				var err error
				if b, err = tx.chunk(j, flow, sequence); isNotFound(err) {
					found, err = false, nil
				}
				return err
			})
			if err != nil {
				yield(nil, fmt.Errorf("read journal: %w", err))
				return
			}
			if !found || !yield(b, nil) {
				return
			}
		}
	}
}

func (t *Tx) chunk(j *Journal, flow string, sequence int) ([]byte, error) {
	var sealed []byte
	err := t.row("SELECT sealed FROM journal WHERE round = ? AND run = ? AND flow = ? AND sequence = ?",
		[]any{j.round[:], j.run, flow, sequence}, &sealed)
	if err != nil {
		return nil, err
	}
	return unseal(j.store.keys.column, sealed, "journal", "sealed", j.row(flow, sequence))
}

// DropJournal destroys the journals of all runs of a round.
func (t *Tx) DropJournal(round [16]byte) error {
	n, err := t.exec("DELETE FROM journal WHERE round = ?", round[:])
	if err != nil {
		return fmt.Errorf("drop journal: %w", err)
	}
	t.erased = t.erased || n > 0
	return nil
}
