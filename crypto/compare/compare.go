// Package compare tells whether sums reach a threshold that both sides know, when one side
// has one summand and the other side the other, and tells nothing else.
//
// The sender has x, the chooser y, both modulo 2^16. Their score is x + y modulo 2^16 read as
// a signed number, and the threshold t is one; the output bit is [score ≥ t]. The score must
// be less than 2^15 away from the threshold, which the caller's range of scores has to ensure:
// then the bit is exact, otherwise it is the wrong one, always. For score − t = d modulo 2^16
// it is the complement of the highest bit of d. With x′ = x − t, that is x′₁₅ + y₁₅ + carry +
// 1, where the carry is that of the fifteen lower bits.
//
// The carry comes from three digits of five bits after the millionaires' protocol of
// CrypTFlow2 (Rathee et al., CCS 2020, section 3.1, after Garay, Schoenmakers and Villegas,
// PKC 2007): for each digit a transfer of one of 32 entries, the sender's table at the
// chooser's digit, gives shares of g, that the digits' sum carries, and of p, that it hands a
// carry on. The tree of products is replaced by one more transfer of one of 16 entries, of
// which the shares of g₀, p₁, g₁ and p₂ are the index: p₂·(g₁ + p₁·g₀). Each transfer of one
// of 2^m is m random ones of crypto/ot.
//
//	sender                                        chooser
//	NewSender   ── request ────────────────────►  NewChooser
//	Start       ◄── reply ──────────────────────
//	                                              Open             for each chunk
//	Open        ◄── columns ────────────────────
//	            ── challenge ──────────────────►  Choose
//	Tables      ◄── choices ────────────────────
//	            ── tables ─────────────────────►  Combine
//	Combine     ◄── combining choices ──────────
//	            ── last ───────────────────────►  Finish
//	Finish      ◄── shares ─────────────────────  (only if the sender learns)
//
// Chosen against half gates (Zahur, Rosulek and Evans, EUROCRYPT 2015), which need 15·32 = 480
// bytes for the gates alone, and against other digits, by what a comparison costs at 31 bits
// a transfer in columns:
//
//	digits      levels   transfers   bytes
//	4 4 4 3     2        21          81.4 + 22.6 = 104.0
//	5 5 5       2        19          73.6 + 24.4 = 98.0   taken
//	5 5 5       3        17          65.9 + 22.1 = 88.0   the carry ripples, one round more
//	7 8         2        17          65.9 + 82.6 = 148.5
//	1 1 … 1     15       29          112.4 + 10.9 = 123.3 bit by bit
//
// BenchmarkCompare measures it: some 2 µs of processor time for both sides, transfers
// included, among a million pairs.
//
// Promises: each side that the parameters name learns the bit of each pair, and neither side
// anything else, if both follow the protocol and under the assumptions of crypto/ot. Against
// a peer that does not, the transfers hold, so a side's inputs enter through one entry of
// each table only. A cheating chooser learns, if it is named, one bit of x of its choice for
// each pair: some other y, some other carries. A cheating sender learns, if it is named, one
// bit of y of its choice for each pair, some function of the digits of y instead of the
// comparison. Either can make the other's bits wrong, depending on the other's digits, or end
// the protocol when it has learnt and before the other has. The messages tell a cheat that is
// not named nothing.
//
// Does not promise: that the inputs are what they should be; fairness; secrecy of how many
// pairs there are; secrecy of y from a sender, or whoever kept the messages, that later has a
// quantum computer. SPEC.md ("Comparison of shares") has the formats and calculations.
package compare

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"entente/crypto/ot"
	"entente/crypto/transcript"
)

const (
	// MaxChunk is how many pairs one chunk has at most: no message reaches a mebibyte, and a
	// chunk takes some six of memory at either side.
	MaxChunk = 8192

	digits     = 3 // of the fifteen lower bits
	digitBits  = 5
	inputBits  = digits * digitBits
	topBits    = 4 // g0, p1, g1, p2
	perPair    = inputBits + topBits
	tableSize  = 4 * (2*digits - 1) // g0, g1, p1, g2, p2, of 32 entries of one bit
	topSize    = 2                  // 16 entries of one bit
	choiceSize = 2                  // fifteen bits

	// sessionLabel is that of the digest that names the session of the transfers.
	sessionLabel = "entente/compare/session/1"
)

var (
	// ErrSize says that a message or a chunk has a length that is not allowed.
	ErrSize = ot.ErrSize
	// ErrMalformed says that bits which must be zero are not.
	ErrMalformed = errors.New("spare bits are set")
	// ErrParameters says that parameters are not allowed.
	ErrParameters = errors.New("parameters not allowed")
	// ErrOrder says that a step is not the next one.
	ErrOrder = errors.New("not the next step")
	// ErrEnded says that the session has failed before and does nothing any more.
	ErrEnded = ot.ErrEnded
)

// secret makes whatever embeds it print a fixed text: fmt does not ask unexported fields how
// they want to be printed.
type secret struct{}

// secretText is what secrets print in place of themselves.
const secretText = "[secret]"

// Format prints a fixed text for every verb.
func (secret) Format(f fmt.State, _ rune) { io.WriteString(f, secretText) }

// LogValue logs a fixed text.
func (secret) LogValue() slog.Value { return slog.StringValue(secretText) }

// MarshalText writes a fixed text, so that encoders cannot leak the secret.
func (secret) MarshalText() ([]byte, error) { return []byte(secretText), nil }

// Learns says who learns the bits.
type Learns uint8

const (
	// SenderLearns names the sender alone.
	SenderLearns Learns = 1 + iota
	// ChooserLearns names the chooser alone.
	ChooserLearns
	// BothLearn names both; the chooser learns first.
	BothLearn
)

// String returns who learns in words.
func (l Learns) String() string {
	switch l {
	case SenderLearns:
		return "sender"
	case ChooserLearns:
		return "chooser"
	case BothLearn:
		return "both"
	}
	return fmt.Sprintf("learns %d", uint8(l))
}

func (l Learns) sender() bool  { return l&SenderLearns != 0 }
func (l Learns) chooser() bool { return l&ChooserLearns != 0 }

// Parameters are what both sides have agreed on.
type Parameters struct {
	// Session names the run; no two runs may have the same one.
	Session [ot.SessionSize]byte
	// Threshold is the least score whose bit is 1.
	Threshold int16
	// Learns says who learns the bits.
	Learns Learns
}

// session checks the parameters and binds all of them to the transfers: sides that disagree
// about one have other keys, and the sender refuses the reply.
func (p *Parameters) session() ([ot.SessionSize]byte, error) {
	if p.Learns < SenderLearns || p.Learns > BothLearn {
		return [ot.SessionSize]byte{}, fmt.Errorf("%v: %w", p.Learns, ErrParameters)
	}
	threshold := binary.BigEndian.AppendUint16(nil, uint16(p.Threshold))
	return transcript.Digest(sessionLabel, p.Session[:], threshold, []byte{byte(p.Learns)}), nil
}

// Lengths of messages in bytes.
const (
	// RequestSize is the length of the sender's first message.
	RequestSize = ot.RequestSize
	// ChallengeSize is the length of a challenge.
	ChallengeSize = ot.ChallengeSize
)

// ReplySize returns the length of the chooser's first message.
func ReplySize() int { return ot.AnswerSize + ot.TreesSize() }

// ColumnsSize returns the length of the columns for a chunk of n pairs.
func ColumnsSize(n int) int { return ot.ColumnsSize(perPair * n) }

// ChoicesSize returns the length of the choices for n pairs: a proof and two bytes each.
func ChoicesSize(n int) int { return ot.ProofSize + choiceSize*n }

// TablesSize returns the length of the tables for n pairs.
func TablesSize(n int) int { return tableSize * n }

// CombiningSize returns the length of the combining choices for n pairs: half a byte each.
func CombiningSize(n int) int { return (n + 1) / 2 }

// LastSize returns the length of the sender's last message for n pairs: two bytes each, and a
// share if the chooser learns.
func LastSize(n int, l Learns) int {
	if l.chooser() {
		return topSize*n + SharesSize(n)
	}
	return topSize * n
}

// SharesSize returns the length of shares of n bits.
func SharesSize(n int) int { return (n + 7) / 8 }

// checkChunk refuses chunks that are empty or too large.
func checkChunk(n int) error {
	if n < 1 || n > MaxChunk {
		return fmt.Errorf("chunk of %d pairs: %w", n, ErrSize)
	}
	return nil
}
