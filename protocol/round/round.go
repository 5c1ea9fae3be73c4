// Package round is the agreement that two members make before any matching runs,
// and the receipt that they sign after it.
//
//	proposer                                   responder
//	    ── Hello ──────────────────────────────────►
//	    ◄───────────────────────────────── Hello ──
//	    ── Offer, signed ──────────────────────────►   its rules decide
//	    ◄──────── Answer, signed (or Pending) ──────   offer + answer = agreement
//	    ── Confirm, signed ────────────────────────►
//	    ◄───────────────────────────── Confirmed ──
//	    ◄════════ runs of the matching suites ═════►
//	    ── Done ───────────────────────────────────►
//	    ◄──────────────────── Receipt, signed ──────
//	    ── Countersigned ──────────────────────────►
//	    ◄──────────────────────────────── Closed ──
//
// It promises to each side that nothing runs unless both have signed the same
// terms, that the terms are within what its own rules granted, that the digest of
// all of it enters the matching, and that a message repeated after a disconnect
// changes nothing. Either side may stop at any message: the other then holds a
// signed agreement without a receipt, and no more. It does not decide (policy
// does), keep time, or touch a socket: the caller passes the time in and carries
// the messages. SPEC sections "Rounds" and "Receipts" hold the byte formats.
package round

import (
	"crypto/rand"
	"encoding/hex"
	"slices"

	"entente/crypto/dp"
	"entente/crypto/sign"
	"entente/protocol/terms"
	"entente/protocol/wire"
)

// State is how far one side has come.
type State uint8

// States of a round, in the order in which a good one passes them.
const (
	Offered       State = iota + 1 // an offer is signed, nobody has decided
	Waiting                        // a person on the responder's side has to decide
	Answered                       // responder only: its answer is signed
	Agreed                         // both signatures under the agreement exist
	Matched                        // all runs are finished on this side
	Countersigned                  // proposer only: the receipt has both signatures here
	Closed                         // the receipt has both signatures on both sides
	Refused                        // the responder's rules or people said no
	Cancelled                      // one side gave up
	Expired                        // time ran out
	Failed                         // the peer broke the protocol, or this side could not go on
)

var stateNames = map[State]string{
	Offered: "offered", Waiting: "waiting", Answered: "answered", Agreed: "running", Matched: "matched",
	Countersigned: "countersigned", Closed: "done", Refused: "refused", Cancelled: "cancelled",
	Expired: "expired", Failed: "failed",
}

func (s State) String() string {
	if name, ok := stateNames[s]; ok {
		return name
	}
	return "unknown"
}

// Over reports whether nothing will happen any more.
func (s State) Over() bool { return s >= Closed }

// Parties says between whom a machine speaks, and under which roster.
type Parties struct {
	Self, Peer string
	Roster     [32]byte
	Key        *sign.PrivateKey // own
	PeerKey    *sign.PublicKey
}

// record is what a machine needs to go on after a crash. Every change of it is
// stored before the message that follows from it is sent.
type record struct {
	_                struct{} `codec:",toarray"`
	Version          uint16
	State            uint8
	Proposer         bool
	Offer            Signed
	Answer           Signed // the signature is the responder's, under the agreement
	Confirm          []byte // the proposer's signature under the agreement
	Finished         uint8  // runs finished on this side
	Done             Done   // what the proposer said at the end
	Receipt          Signed // the signature is the responder's
	Countersignature []byte // the proposer's signature under the receipt
	Reason           uint16 // wire code with which a round ended badly
}

// ID names a round. The proposer draws it at random.
type ID [IDSize]byte

// NewID draws an identifier.
func NewID() ID {
	var id ID
	rand.Read(id[:])
	return id
}

// ParseID reads an identifier from its bytes.
func ParseID(b []byte) (ID, error) {
	if len(b) != IDSize {
		return ID{}, fault(wire.Malformed, "a round's identifier has %d bytes", len(b))
	}
	return ID(b), nil
}

// String is the identifier in hex, as people and files see it.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Machine is one side of one round. It is a value without clock or socket, and
// not safe for concurrent use.
type Machine struct {
	rec     record
	parties Parties
	offer   Offer
	answer  Answer
}

// Message is one frame to send or one frame received.
type Message struct {
	Kind wire.Kind
	Body any // the struct of this package that belongs to the kind
}

// Propose signs an offer and starts the proposer's side.
func Propose(o Offer, p Parties) (*Machine, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	body, err := wire.Marshal(o)
	if err != nil {
		return nil, err
	}
	signature, err := p.Key.Sign(domainOffer, body)
	if err != nil {
		return nil, err
	}
	m := &Machine{parties: p, offer: o}
	m.rec = record{Version: Version, State: uint8(Offered), Proposer: true, Offer: Signed{Body: body, Signature: signature}}
	return m, nil
}

// Receive checks an offer and starts the responder's side. now is Unix milliseconds.
func Receive(s Signed, p Parties, now int64) (*Machine, error) {
	o, err := openOffer(s, p.PeerKey)
	if err != nil {
		return nil, err
	}
	switch {
	case o.From != p.Peer || o.To != p.Self:
		return nil, fault(wire.Altered, "the offer is not from this partner to this member")
	case string(o.Roster) != string(p.Roster[:]):
		return nil, fault(wire.OtherRoster, "the offer names another roster")
	case o.Created > now+maxSkew:
		return nil, fault(wire.Clock, "the offer was made in the future")
	case o.Expires <= now:
		return nil, fault(wire.Expired, "the offer has expired")
	}
	m := &Machine{parties: p, offer: o}
	m.rec = record{Version: Version, State: uint8(Offered), Offer: s}
	return m, nil
}

// Load restores a machine from its record.
func Load(b []byte, p Parties) (*Machine, error) {
	m := &Machine{parties: p}
	if err := wire.Unmarshal(b, &m.rec); err != nil {
		return nil, err
	}
	if err := wire.Unmarshal(m.rec.Offer.Body, &m.offer); err != nil {
		return nil, err
	}
	if len(m.rec.Answer.Body) == 0 {
		return m, nil
	}
	return m, wire.Unmarshal(m.rec.Answer.Body, &m.answer)
}

// Record returns the machine's durable form.
func (m *Machine) Record() ([]byte, error) { return wire.Marshal(m.rec) }

// State tells how far this side has come.
func (m *Machine) State() State { return State(m.rec.State) }

// Proposer tells whether this side made the offer.
func (m *Machine) Proposer() bool { return m.rec.Proposer }

// Offer returns the offer.
func (m *Machine) Offer() Offer { return m.offer }

// Answer returns the answer; it is empty before the responder has answered.
func (m *Machine) Answer() Answer { return m.answer }

// Reason is the number with which a round ended badly; zero otherwise.
func (m *Machine) Reason() wire.Code { return wire.Code(m.rec.Reason) }

// Agreement is the digest of offer and answer; zero before there is an answer.
func (m *Machine) Agreement() [32]byte {
	if len(m.rec.Answer.Body) == 0 {
		return [32]byte{}
	}
	return agreementDigest(m.rec.Offer.Body, m.rec.Answer.Body)
}

// End closes a round without a receipt: refused, cancelled, expired or failed. It
// does nothing once the round is over.
func (m *Machine) End(s State, reason wire.Code) {
	if !m.State().Over() {
		m.rec.State, m.rec.Reason = uint8(s), uint16(reason)
	}
}

// receiptGrace is how long after its end a round that has run waits for its receipt,
// in milliseconds.
const receiptGrace = 7 * 24 * 60 * 60 * 1000

// Expire ends the round if its time has run out at now (Unix milliseconds), and
// reports whether it did. A round that has run keeps its result, and waits a week
// longer for its receipt; one whose receipt has both signatures here is then closed.
func (m *Machine) Expire(now int64) bool {
	limit := m.offer.Expires
	if m.answer.Expires > 0 {
		limit = m.answer.Expires
	}
	if m.State() >= Matched {
		limit += receiptGrace
	}
	switch {
	case m.State().Over() || now < limit:
		return false
	case m.State() == Countersigned: // both signatures are here: only the partner's word is missing
		m.rec.State = uint8(Closed)
	default:
		m.End(Expired, wire.Expired)
	}
	return true
}

// Run is one execution of a suite inside a round, seen from neither side.
type Run struct {
	Suite            string
	ProposerReceives bool // the proposer is the suite's receiver
	Mutual           bool // the sender learns the hits as well
	Receiver, Sender int  // size classes of the two sides
	EpsilonMilli     uint32
	SenderPublic     []byte
	ReceiverPublic   []byte
}

// CountSuite is the suite that every run with mode count uses.
const CountSuite = "count"

// SimilarSuite is the suite that compares vectors. Its receiver is the asker, whoever learns.
const SimilarSuite = "similar"

// Runs derives from the terms which suites run, in which order and direction. One
// run serves both sides when both learn which items are shared. Vectors are compared in one
// run, in which the proposer asks.
func (m *Machine) Runs() []Run {
	t := m.answer.Terms
	both := t.Proposer == terms.IDs && t.Responder == terms.IDs
	var runs []Run
	if t.Open() && m.exactSuite() == SimilarSuite {
		return []Run{m.run(terms.IDs, true, both)}
	}
	if t.Proposer != terms.None {
		runs = append(runs, m.run(t.Proposer, true, both))
	}
	if t.Responder != terms.None && !both {
		runs = append(runs, m.run(t.Responder, false, false))
	}
	return runs
}

func (m *Machine) run(mode terms.Mode, proposerReceives, mutual bool) Run {
	r := Run{Suite: m.exactSuite(), ProposerReceives: proposerReceives, Mutual: mutual}
	if mode == terms.Count {
		r.Suite, r.EpsilonMilli = CountSuite, m.answer.Terms.EpsilonMilli
	}
	r.Receiver, r.Sender = withNoise(m.offer.Class, r.EpsilonMilli), withNoise(m.answer.Class, r.EpsilonMilli)
	receiver, sender := m.offer.Suites, m.answer.Suites
	if !proposerReceives {
		r.Receiver, r.Sender = r.Sender, r.Receiver
		receiver, sender = sender, receiver
	}
	if key, ok := suite(sender, r.Suite); ok {
		r.SenderPublic = key.Public
	}
	if key, ok := suite(receiver, r.Suite); ok && r.Suite == SimilarSuite {
		r.ReceiverPublic = key.Public
	}
	return r
}

// withNoise is the class that a list takes in a run whose noise is for ε: the public
// dummies of a count stand in the lists as well.
func withNoise(class, epsilonMilli uint32) int {
	if epsilonMilli == 0 {
		return int(class)
	}
	noise, err := dp.NewNoise(epsilonMilli)
	if err != nil {
		return maxClass + 1 // not reached with valid terms: more than any run takes
	}
	return wire.SizeClass(int(class) + noise.Max())
}

// LargestClass is the class that a list takes in the largest run of these terms. It is
// what rules and quotas count: a cheat can fill a dummy's place with a guess.
func LargestClass(t terms.Terms, class uint32) int {
	if t.Proposer == terms.Count || t.Responder == terms.Count {
		return withNoise(class, t.EpsilonMilli)
	}
	return int(class)
}

// Fits tells whether a list of a class is within what every run of these terms takes.
func Fits(t terms.Terms, class uint32) bool {
	if class > maxClass {
		return false
	}
	counted := t.Proposer == terms.Count || t.Responder == terms.Count
	return !counted || LargestClass(t, class) <= maxCountClass
}

// exactSuite is the suite that the responder chose for mode ids, which may be similar.
func (m *Machine) exactSuite() string {
	i := slices.IndexFunc(m.answer.Suites, func(k SuiteKey) bool { return k.Name != CountSuite })
	if i < 0 {
		return ""
	}
	return m.answer.Suites[i].Name
}

// OverError says that the peer speaks of a round that is over here, and what it
// is told. Nobody is at fault.
type OverError struct{ Code wire.Code }

func (e *OverError) Error() string { return "the round is over: " + e.Code.String() }

// Told is the number that the peer is told.
func (e *OverError) Told() wire.Code { return e.Code }

// Accounted tells whether this side has signed the receipt, which it cannot take back.
func (m *Machine) Accounted() bool { return len(m.rec.Receipt.Body) > 0 }

// Finished is the number of runs that this side has finished.
func (m *Machine) Finished() int { return int(m.rec.Finished) }

// FinishRun notes that the next run is finished on this side.
func (m *Machine) FinishRun() {
	m.rec.Finished++
	if m.Finished() >= len(m.Runs()) {
		m.rec.State = uint8(Matched)
	}
}

// Signed returns the agreement as it was signed: the offer with the proposer's signature, the
// answer with the responder's under the agreement, and the proposer's under that.
func (m *Machine) Signed() (offer, answer Signed, confirm []byte) {
	return m.rec.Offer, m.rec.Answer, m.rec.Confirm
}
