package machine

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"entente/crypto/he/collective"
	"entente/protocol/tally"
	"entente/protocol/wire"
)

// CollectorConfig is what a collector's side works with.
type CollectorConfig struct {
	Identity
	Arithmetic *collective.Parameters
	Store      Store
}

// Stage is how far a collector has come.
type Stage uint8

// Stages of a tally, in order.
const (
	Accepting    Stage = iota + 1 // members decide whether they take part
	Dealing                       // holders make the key
	Contributing                  // contributions come in
	Opening                       // holders share the sum
	Done                          // the result is signed
	Failed                        // the shares gave no sum: some member's part was wrong
)

// String returns the stage in a word.
func (s Stage) String() string {
	names := []string{"unknown", "accepting", "dealing", "contributing", "opening", "done", "failed"}
	if int(s) >= len(names) {
		return names[0]
	}
	return names[s]
}

// ErrFew says that too few members have answered to go on.
var ErrFew = errors.New("too few members have answered")

// seat is what a collector has of a member.
type seat struct {
	_           struct{} `codec:",toarray"`
	Acceptance  []byte   // its digest; empty until it has come
	Dealing     []byte   // commitment to the part of the key
	Dealt       bool
	Ready       bool
	Contributed bool
	Shared      bool
	Told        bool
}

func (s *seat) accepted() bool { return len(s.Acceptance) > 0 }

// collectorRecord is what a collector keeps besides its store. It holds no secret.
type collectorRecord struct {
	_        struct{} `codec:",toarray"`
	Version  uint16
	Failed   bool
	Proposal tally.Signed
	Seats    []seat // of the members, ascending
	KeyCall  tally.Signed
	Request  tally.Signed
	Release  tally.Signed
}

// Collector is the side of a tally that collects. Not safe for concurrent use.
type Collector struct {
	CollectorConfig
	rec      collectorRecord
	proposal tally.Proposal
	digest   [32]byte
	members  []string // contributors and holders, ascending
	keyCall  tally.KeyCall
	request  tally.Request
	release  tally.Release

	key     *collective.Key // made from the store when it is first needed
	sum     *collective.Sum // likewise
	uploads map[string]*upload
}

// Propose signs a proposal and begins. now is Unix milliseconds.
func Propose(p tally.Proposal, c CollectorConfig, now int64) (*Collector, error) {
	if p.Collector != c.Self {
		return nil, fmt.Errorf("propose tally: the collector is %q", p.Collector)
	}
	if err := p.Check(c.Roster, now); err != nil {
		return nil, err
	}
	signed, err := tally.Sign(c.Key, tally.DomainProposal, p)
	if err != nil {
		return nil, err
	}
	k := &Collector{CollectorConfig: c, rec: collectorRecord{Version: tally.Version, Proposal: signed}}
	k.begin(p)
	k.rec.Seats = make([]seat, len(k.members))
	return k, nil
}

func (k *Collector) begin(p tally.Proposal) {
	k.proposal, k.digest = p, tally.Digest(k.rec.Proposal, tally.DomainProposal)
	k.members = slices.Concat(p.Contributors, p.Holders)
	slices.Sort(k.members)
	k.members = slices.Compact(k.members)
	k.uploads = map[string]*upload{}
}

// LoadCollector restores a collector's side from its record and its store.
func LoadCollector(b []byte, c CollectorConfig) (*Collector, error) {
	k := &Collector{CollectorConfig: c}
	if err := wire.Unmarshal(b, &k.rec); err != nil {
		return nil, fmt.Errorf("load tally: %w", err)
	}
	all, err := load(k.rec.Proposal, k.rec.KeyCall, k.rec.Request, k.rec.Release)
	if err != nil {
		return nil, err
	}
	k.keyCall, k.request, k.release = all.keyCall, all.request, all.release
	k.begin(all.proposal)
	if len(k.rec.Seats) != len(k.members) {
		return nil, errors.New("load tally: the record is of other members")
	}
	for _, s := range k.rec.Seats {
		if len(s.Acceptance) != 0 && len(s.Acceptance) != len(k.digest) {
			return nil, errors.New("load tally: a digest of the record has a wrong length")
		}
	}
	return k, nil
}

// Record returns the durable form of this side. It is stored before what Pending returns is
// sent.
func (k *Collector) Record() ([]byte, error) { return wire.Marshal(k.rec) }

// Proposal returns what was proposed.
func (k *Collector) Proposal() tally.Proposal { return k.proposal }

// Release returns the result, if there is one.
func (k *Collector) Release() (tally.Release, bool) { return k.release, len(k.rec.Release.Body) > 0 }

// Stage returns how far the tally has come.
func (k *Collector) Stage() Stage {
	switch {
	case k.rec.Failed:
		return Failed
	case len(k.rec.KeyCall.Body) == 0:
		return Accepting
	case !k.allDealt():
		return Dealing
	case len(k.rec.Request.Body) == 0:
		return Contributing
	case len(k.rec.Release.Body) == 0:
		return Opening
	}
	return Done
}

func (k *Collector) allDealt() bool {
	return !slices.ContainsFunc(k.keyCall.Dealers, func(d tally.Accepted) bool {
		return !k.seat(k.proposal.Holders[d.Place]).Dealt
	})
}

// seat is that of a member; nil for others.
func (k *Collector) seat(member string) *seat {
	i, ok := slices.BinarySearch(k.members, member)
	if !ok {
		return nil
	}
	return &k.rec.Seats[i]
}

// Close ends the stage Accepting: the holders that have accepted make the key. It happens by
// itself when all members have. ErrFew says that they do not reach threshold or minimum;
// ErrState that the stage is past.
func (k *Collector) Close() error {
	if k.Stage() != Accepting {
		return fmt.Errorf("call for the key: %w", ErrState)
	}
	return k.callKey()
}

func (k *Collector) callKey() error {
	c := tally.KeyCall{Proposal: k.digest[:], Dealers: k.accepted(k.proposal.Holders), Contributors: k.accepted(k.proposal.Contributors)}
	if len(c.Dealers) < int(k.proposal.Threshold) || len(c.Contributors) < int(k.proposal.Minimum) {
		return fmt.Errorf("call for the key: %w: %d holders, %d contributors", ErrFew, len(c.Dealers), len(c.Contributors))
	}
	signed, err := tally.Sign(k.Key, tally.DomainKeyCall, c)
	if err != nil {
		return err
	}
	k.rec.KeyCall, k.keyCall = signed, c
	return nil
}

// accepted are those of a list that have accepted.
func (k *Collector) accepted(names []string) (out []tally.Accepted) {
	for i, name := range names {
		if s := k.seat(name); s.accepted() {
			out = append(out, tally.Accepted{Place: uint8(i), Digest: s.Acceptance})
		}
	}
	return out
}

// Open asks a set of holders to open the sum of all contributions that have come: Threshold
// members that are there and will answer, because no other set can ever open it. Errors:
// ErrFew, ErrState if there is nothing to open, or a member has no share of the key.
func (k *Collector) Open(active []string) error {
	if k.Stage() != Contributing {
		return fmt.Errorf("open sum: %w", ErrState)
	}
	key, err := k.collectiveKey()
	if err != nil {
		return err
	}
	digest := key.Digest()
	r := tally.Request{Key: digest[:]}
	for i, name := range k.proposal.Contributors {
		if k.seat(name).Contributed {
			r.Included = append(r.Included, uint8(i))
		}
	}
	for _, name := range slices.Sorted(slices.Values(active)) {
		place, holds := k.proposal.Holder(name)
		_, deals := tally.Find(k.keyCall.Dealers, place)
		if !holds || !deals || !k.seat(name).Ready {
			return fmt.Errorf("open sum: %w: %q has no share of the key", ErrState, name)
		}
		r.Active = append(r.Active, place)
	}
	if len(r.Included) < int(k.proposal.Minimum) {
		return fmt.Errorf("open sum: %w: %d contributions", ErrFew, len(r.Included))
	}
	sum, err := k.total()
	if err != nil {
		return err
	}
	total := sum.Masks().Digest()
	r.Sum = total[:]
	if err := r.Check(k.proposal, digest, k.keyCall); err != nil {
		return err
	}
	signed, err := tally.Sign(k.Key, tally.DomainRequest, r)
	if err != nil {
		return err
	}
	k.rec.Request, k.request = signed, r
	return nil
}

// Holding are the holders that have their share of the key, of whom Threshold can open the
// sum.
func (k *Collector) Holding() (out []string) {
	for _, d := range k.keyCall.Dealers {
		if name := k.proposal.Holders[d.Place]; k.seat(name).Ready {
			out = append(out, name)
		}
	}
	return out
}

// collectiveKey adds up the key from the stored parts.
func (k *Collector) collectiveKey() (*collective.Key, error) {
	if k.key != nil {
		return k.key, nil
	}
	sum := k.Arithmetic.NewReference(tally.Reference(k.digest)).NewKeySum()
	for _, d := range k.keyCall.Dealers {
		b, err := k.Store.Get(publicName(d.Place))
		if err != nil {
			return nil, fmt.Errorf("read part of the key: %w", err)
		}
		if err := sum.Add(b); err != nil {
			return nil, fmt.Errorf("read part of the key: %w", err)
		}
	}
	k.key = sum.Key()
	return k.key, nil
}

// total adds up the stored contributions.
func (k *Collector) total() (*collective.Sum, error) {
	if k.sum != nil {
		return k.sum, nil
	}
	key, err := k.collectiveKey()
	if err != nil {
		return nil, err
	}
	sum, err := key.NewSum(k.proposal.Question.Cells())
	if err != nil {
		return nil, err
	}
	for i, name := range k.proposal.Contributors {
		if !k.seat(name).Contributed {
			continue
		}
		v, err := k.vector(uint8(i))
		if err != nil {
			return nil, err
		}
		if err := sum.Add(v); err != nil {
			return nil, fmt.Errorf("read contribution: %w", err)
		}
	}
	k.sum = sum
	return sum, nil
}

// vector reads a contribution.
func (k *Collector) vector(place uint8) (v collective.Vector, err error) {
	if v.Masks, err = k.blocks(maskName, place); err != nil {
		return v, err
	}
	v.Bodies, err = k.blocks(bodyName, place)
	return v, err
}

// blocks reads all blocks of a kind and place.
func (k *Collector) blocks(name func(place uint8, n int) string, place uint8) ([][]byte, error) {
	out := make([][]byte, k.proposal.Question.Blocks())
	for i := range out {
		b, err := k.Store.Get(name(place, i))
		if err != nil {
			return nil, fmt.Errorf("read what was collected: %w", err)
		}
		out[i] = b
	}
	return out, nil
}

// Names in the store. Places are of holders or contributors, numbers of blocks.
func partName(place uint8) string              { return fmt.Sprintf("part/%d", place) }
func publicName(place uint8) string            { return fmt.Sprintf("public/%d", place) }
func sealedName(from, to uint8) string         { return fmt.Sprintf("sealed/%d/%d", from, to) }
func contributionName(place uint8) string      { return fmt.Sprintf("contribution/%d", place) }
func maskName(place uint8, n int) string       { return fmt.Sprintf("mask/%d/%d", place, n) }
func bodyName(place uint8, n int) string       { return fmt.Sprintf("body/%d/%d", place, n) }
func shareName(place uint8) string             { return fmt.Sprintf("share/%d", place) }
func shareBlockName(place uint8, n int) string { return fmt.Sprintf("share-block/%d/%d", place, n) }
func acceptanceName(member string) string      { return "acceptance/" + member }

// putSigned stores a head as it was signed.
func (k *Collector) putSigned(name string, s tally.Signed) error {
	b, err := wire.Marshal(s)
	if err != nil {
		return err
	}
	return k.Store.Put(name, b)
}

func (k *Collector) getSigned(name string) (s tally.Signed, err error) {
	b, err := k.Store.Get(name)
	if err != nil {
		return s, fmt.Errorf("read what was collected: %w", err)
	}
	return s, wire.Unmarshal(b, &s)
}

// Format keeps a collector's many bytes out of what is printed.
func (k *Collector) Format(s fmt.State, _ rune) { io.WriteString(s, "[tally of "+k.Self+"]") }
