// Package ot makes random oblivious transfers: a sender gets pairs of random blocks, a
// receiver gets one block of each pair, chosen by a random bit that the sender does not
// learn, and nothing of the other block.
//
// 128 base transfers over ristretto255 after Masny and Rindal, "Endemic Oblivious Transfer"
// (CCS 2019, ePrint 2019/706), whose function is the programmable-once public function of
// McQuoid, Rosulek and Roy, "Batching Base Oblivious Transfers" (ASIACRYPT 2021, ePrint
// 2021/682), are extended to any number after Roy, "SoftSpokenOT" (CRYPTO 2022, ePrint
// 2022/192): puncturable trees from the base transfers with their check (also Boyle et al.,
// "Efficient Two-Round OT Extension", CCS 2019, ePrint 2019/1159), small-field VOLE, a proof
// of consistency against malicious receivers, and a hash that breaks the correlation. Who is
// called sender and receiver refers to the extension; in the base transfers the roles are
// turned round.
//
//	sender                                       receiver
//	NewBaseChooser ── request ────────────────►  AnswerBase
//	Finish         ◄── answer, trees ──────────  NewReceiver
//	NewSender
//	                                             Receiver.Extend   for each extension
//	Sender.Extend  ◄── columns ────────────────
//	               ── challenge ──────────────►  Receiving.Prove = ReceiverPads
//	Sending.Verify ◄── proof ──────────────────
//	= SenderPads
//
// All functions take and return bytes and touch no network. A message has one length, which
// is checked before anything of it is used.
//
// Promises, against a peer that does anything whatever, with AES as an ideal cipher,
// SHA-256 and the hash to the group as random oracles, under the gap Diffie-Hellman
// assumption: the sender learns nothing of the choices; the receiver learns one block of
// each pair, the other looks uniform to it. There is no other level of security here: the
// results of base transfers have types that only this package makes, and only from
// protocols of that level, so a weaker one cannot be passed by a flag. SPEC.md ("Oblivious
// transfer") has the calculations.
//
// Does not promise: that the peer's own blocks and choices are random (a cheat may choose
// its own, which is why they are called endemic); that choices stay hidden from a sender, or
// whoever kept its messages, that later has a quantum computer; that memory is cleared;
// constant time where the machine has no AES instructions, since crypto/aes then uses
// tables. A peer that cheats in trees or columns learns a guess about
// the other's secret if it is not caught: each bit guessed doubles its risk to be caught. So
// every error that a peer's bytes cause ends the session for good: a new one needs new base
// transfers.
package ot

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"entente/crypto/ristretto"
)

const (
	// SessionSize is the length in bytes of the digest that names a session. Both sides
	// must have agreed on it, and no two sessions may have the same one.
	SessionSize = 32
	// BlockSize is the length of a block in bytes.
	BlockSize = aes.BlockSize
	// security is the number of base transfers and the length of blocks in bits.
	security = 8 * BlockSize

	// RequestSize is the length of a base chooser's message: two elements for each transfer.
	RequestSize = security * 2 * ristretto.Size
	// AnswerSize is the length of the answer to it: one element.
	AnswerSize = ristretto.Size
	// ChallengeSize is the length of a sender's challenge.
	ChallengeSize = 32
	// ProofSize is the length of a receiver's proof: a tag of the choices and of each column.
	ProofSize = (1 + security) * BlockSize

	// MaxExtension is how many transfers one extension makes at most: its largest message
	// stays below a mebibyte, and it takes nine of memory at either side.
	MaxExtension = 1 << 18
)

var (
	// ErrSize says that a message or a number of transfers has a length that is not allowed.
	ErrSize = errors.New("length not allowed")
	// ErrElement says that bytes are not the canonical form of an element other than the
	// identity.
	ErrElement = errors.New("not a canonical group element")
	// ErrTrees says that trees do not hang together: the peer cheats, or the sessions differ.
	ErrTrees = errors.New("trees are inconsistent")
	// ErrProof says that columns do not hold one vector of choices: the peer cheats.
	ErrProof = errors.New("columns are inconsistent")
	// ErrEnded says that the session has failed before and does nothing any more.
	ErrEnded = errors.New("session has ended")
	// ErrUsed says that a step was made already, or that more transfers were asked for than
	// the extension has left.
	ErrUsed = errors.New("already used")
	// ErrRandom says that the source of random bytes failed or gave zeros.
	ErrRandom = errors.New("no random bytes")
)

// secretText is what secrets print in place of themselves.
const secretText = "[secret]"

// secret makes whatever embeds it print a fixed text: fmt does not ask unexported fields how
// they want to be printed.
type secret struct{}

// Format prints a fixed text for every verb.
func (secret) Format(f fmt.State, _ rune) { io.WriteString(f, secretText) }

// LogValue logs a fixed text.
func (secret) LogValue() slog.Value { return slog.StringValue(secretText) }

// MarshalText writes a fixed text, so that encoders cannot leak the secret.
func (secret) MarshalText() ([]byte, error) { return []byte(secretText), nil }

// Block is one block of a pair, or a node of a tree. It counts as secret and prints nothing
// of itself.
type Block [BlockSize]byte

// Format prints a fixed text for every verb.
func (Block) Format(f fmt.State, verb rune) { secret{}.Format(f, verb) }

// LogValue logs a fixed text.
func (Block) LogValue() slog.Value { return secret{}.LogValue() }

// MarshalText writes a fixed text, so that encoders cannot leak the block.
func (Block) MarshalText() ([]byte, error) { return secret{}.MarshalText() }

// session is what the two kinds of extension have in common.
type session struct {
	id    [SessionSize]byte
	shape shape
	ended bool
	count uint64 // of extensions begun
	spare spares
}

// fail ends the session because of a fault in what the peer sent.
func (s *session) fail(err error) error {
	s.ended = true
	return err
}

// begin gives an extension of n transfers its number.
func (s *session) begin(n int) (uint64, error) {
	if s.ended {
		return 0, ErrEnded
	}
	if n < 1 || n > MaxExtension {
		return 0, fmt.Errorf("extend by %d transfers: %w", n, ErrSize)
	}
	s.count++
	return s.count - 1, nil
}

// spares keeps what extensions that are over have used, since fresh memory costs as much as
// all the rest of an extension's work on rows.
type spares struct {
	columns []*matrix
	rows    [][]Block
}

// matrix returns a matrix whose content is not defined.
func (m *spares) matrix(rows int) *matrix {
	size := security * rows / 8
	if last := len(m.columns) - 1; last >= 0 {
		x := m.columns[last]
		m.columns = m.columns[:last]
		if cap(x.bits) >= size {
			x.rows, x.bits = rows, x.bits[:size]
			return x
		}
	}
	return &matrix{rows, make([]byte, size)}
}

// turn returns the first n rows of a matrix, which is not used any more.
func (m *spares) turn(x *matrix, n int) []Block {
	var rows []Block
	if last := len(m.rows) - 1; last >= 0 {
		rows = m.rows[last]
		m.rows = m.rows[:last]
	}
	room := (n + 63) / 64 * 64
	if cap(rows) < room {
		rows = make([]Block, room)
	}
	rows = rows[:room]
	x.turn(rows)
	m.columns = append(m.columns, x)
	return rows[:n]
}

// draw fills b from a source of random bytes.
func draw(random io.Reader, b []byte) error {
	if _, err := io.ReadFull(random, b); err != nil {
		return fmt.Errorf("%w: %w", ErrRandom, err)
	}
	return nil
}

// newAES returns AES-128 under a key.
func newAES(key *Block) cipher.Block {
	c, err := aes.NewCipher(key[:])
	if err != nil {
		panic("ot: AES does not take a key of 16 bytes") // it is always that long
	}
	return c
}
