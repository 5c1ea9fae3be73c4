// Package terms holds what two members must merge bit for bit before a round: who
// learns how much, and the duties that come with it.
//
// Each side's rules grant terms on their own. What runs is Merge of both: in every
// field the stricter value. Merge is the meet of a lattice, so it does not matter
// who merges, in which order, or how often, and an answer is acceptable exactly if
// it is Within what was granted. SPEC section "Terms" holds the byte format.
//
// It promises that no merge is ever wider than either input. It does not decide
// what a side grants (policy does), and it cannot make a partner keep a duty: how
// long hits are kept and what is shown of a count are promises between members,
// while modes, list sizes and noise are enforced by the round itself.
package terms

import (
	"errors"
	"fmt"
)

// Mode is how much one side learns of the items that both lists hold. The order
// of the values is the order of openness.
type Mode uint8

// Modes. On the wire they are the numbers 0, 1 and 2.
const (
	None  Mode = iota // nothing
	Count             // how many items are shared
	IDs               // which of its own items are shared
)

var modeNames = [...]string{None: "none", Count: "count", IDs: "ids"}

// ErrMode is returned for a mode outside the closed set.
var ErrMode = errors.New("unknown mode")

// ParseMode reads "none", "count" or "ids".
func ParseMode(s string) (Mode, error) {
	for m, name := range modeNames {
		if s == name {
			return Mode(m), nil
		}
	}
	return None, ErrMode
}

// String returns the mode's name in the protocol.
func (m Mode) String() string {
	if int(m) < len(modeNames) {
		return modeNames[m]
	}
	return "invalid"
}

// MarshalText writes the name, for JSON and configuration. CBOR carries the number.
func (m Mode) MarshalText() ([]byte, error) {
	if int(m) >= len(modeNames) {
		return nil, ErrMode
	}
	return []byte(modeNames[m]), nil
}

// UnmarshalText is the inverse of MarshalText.
func (m *Mode) UnmarshalText(b []byte) error {
	parsed, err := ParseMode(string(b))
	if err != nil {
		return err
	}
	*m = parsed
	return nil
}

// Bounds of the duties. A value outside them is invalid on the wire and in rules.
const (
	MaxMinItems      = 1 << 28 // items; more than any list that a node holds
	MinRetentionDays = 1
	MaxRetentionDays = 3650   // days; ten years is beyond the longest known retention rule
	MinEpsilonMilli  = 10     // ε = 0.01: below, the dummies of a count outweigh most lists
	MaxEpsilonMilli  = 10_000 // ε = 10: above, noise protects nobody
	MaxMinCount      = 1000   // a count under it is shown as "under" it
)

// Terms says what each side learns in a round, and under which duties. Modes are
// named by the parties of the offer, so both sides hold the same bytes.
type Terms struct {
	_             struct{} `codec:",toarray"`
	Proposer      Mode     `json:"proposer"`       // what the proposer learns
	Responder     Mode     `json:"responder"`      // what the responder learns
	MinItems      uint32   `json:"min_items"`      // smallest size class of a list that may take part, both sides
	RetentionDays uint32   `json:"retention_days"` // hits of the round are erased after so many days
	EpsilonMilli  uint32   `json:"epsilon_milli"`  // noise of a count is for ε = EpsilonMilli/1000; 0: exact
	MinCount      uint32   `json:"min_count"`      // smaller counts are shown only as "under MinCount"
}

// Widest is the neutral element of Merge for rounds that open the given modes: it
// lays no duty on anyone. A proposer asks with it.
func Widest(proposer, responder Mode) Terms {
	return Terms{Proposer: proposer, Responder: responder, RetentionDays: MaxRetentionDays}
}

// Merge returns the stricter of both in every field.
func Merge(a, b Terms) Terms {
	return Terms{
		Proposer:      min(a.Proposer, b.Proposer),
		Responder:     min(a.Responder, b.Responder),
		MinItems:      max(a.MinItems, b.MinItems),
		RetentionDays: min(a.RetentionDays, b.RetentionDays),
		EpsilonMilli:  noisier(a.EpsilonMilli, b.EpsilonMilli),
		MinCount:      max(a.MinCount, b.MinCount),
	}
}

// noisier picks the smaller ε. Zero stands for no noise at all, so it is the
// weakest value and survives only if both sides have it.
func noisier(a, b uint32) uint32 {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// Within reports whether t opens nothing and loosens nothing beyond granted.
func (t Terms) Within(granted Terms) bool { return Merge(t, granted) == t }

// Open reports whether anyone learns anything.
func (t Terms) Open() bool { return t.Proposer != None || t.Responder != None }

// Admits reports whether a list of this size class is large enough.
func (t Terms) Admits(class int64) bool { return class >= int64(t.MinItems) }

// Validate checks every field against its bounds. Terms that open nothing are
// valid: whether they may be sent is the message's rule.
func (t Terms) Validate() error {
	switch {
	case t.Proposer > IDs, t.Responder > IDs:
		return fmt.Errorf("validate terms: %w", ErrMode)
	case t.MinItems > MaxMinItems:
		return fmt.Errorf("validate terms: min_items %d is above %d", t.MinItems, MaxMinItems)
	case t.RetentionDays < MinRetentionDays, t.RetentionDays > MaxRetentionDays:
		return fmt.Errorf("validate terms: retention_days %d is not in %d to %d", t.RetentionDays, MinRetentionDays, MaxRetentionDays)
	case t.EpsilonMilli != 0 && (t.EpsilonMilli < MinEpsilonMilli || t.EpsilonMilli > MaxEpsilonMilli):
		return fmt.Errorf("validate terms: epsilon_milli %d is neither 0 nor in %d to %d", t.EpsilonMilli, MinEpsilonMilli, MaxEpsilonMilli)
	case t.MinCount > MaxMinCount:
		return fmt.Errorf("validate terms: min_count %d is above %d", t.MinCount, MaxMinCount)
	}
	return nil
}
