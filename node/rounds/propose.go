package rounds

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"entente/node/store"
	"entente/policy"
	"entente/protocol/entry"
	"entente/protocol/exact"
	"entente/protocol/indicator"
	"entente/protocol/round"
	"entente/protocol/similar"
	"entente/protocol/terms"
	"entente/protocol/wire"
)

const (
	// Suite is the exact suite that this node prefers.
	Suite = "oprf"
	// Standard is the same with the proofs of RFC 9497, for partners whose node knows only
	// those.
	Standard = "oprf-rfc9497"
)

// exactSuites are those that this node proposes and accepts, the best first.
func exactSuites() []string { return []string{Suite, Standard} }

// prepared is a request that was checked against lists and rules.
type prepared struct {
	ask   ask
	list  store.List
	grant policy.Grant
	used  int64 // of the quota today
}

// errThreshold is what an own request lacks.
var errThreshold = errors.New("say from which score records are alike enough, with --threshold: of faces, 16129 times the cosine, so that 6450 is 0.4")

// prepare checks a request and asks the own rules.
func (s *Service) prepare(ctx context.Context, r Request) (prepared, error) {
	var p prepared
	_, partner, err := s.partner(r.Partner)
	if err != nil {
		return p, err
	}
	kind, err := indicator.ParseKind(r.Kind)
	if err != nil {
		return p, err
	}
	us, them, err := learns(r.Learn, r.Result)
	if err != nil {
		return p, err
	}
	err = s.o.Store.View(ctx, func(tx *store.Tx) (err error) {
		p.list, err = tx.ListByName(r.List)
		return err
	})
	if err != nil {
		return p, fmt.Errorf("find list: %w", err)
	}
	if p.list.Kind != kind {
		return p, fmt.Errorf("the list holds indicators of kind %s, not %s", p.list.Kind, kind)
	}
	if p.list.Items == 0 {
		return p, ErrNothing
	}
	p.ask = ask{partner: partner, proposer: true, kind: kind, purpose: r.Purpose, us: us, them: them, offered: terms.Widest(us, them)}
	if kind.Similar() {
		if err := s.likens(ctx, r, &p); err != nil {
			return p, err
		}
	}
	p.grant, p.used, err = s.granted(ctx, p.ask, []store.List{p.list})
	if err == nil && kind.Similar() && p.grant.Open() {
		err = p.choose(r.Threshold)
	}
	return p, err
}

// Propose freezes the list, signs an offer and sends it as soon as the partner can
// be reached. It returns the new round at once.
func (s *Service) Propose(ctx context.Context, r Request) (View, error) {
	p, err := s.prepare(ctx, r)
	if err != nil {
		return View{}, err
	}
	if !p.grant.Open() {
		return View{}, s.denied(ctx, p)
	}
	if err := s.o.Accounted(ctx); err != nil {
		return View{}, err
	}
	parties, err := s.parties(p.ask.partner.ID)
	if err != nil {
		return View{}, err
	}
	f, err := s.proposal(ctx, r, p, parties)
	if err != nil {
		return View{}, err
	}
	s.start(f.id)
	return s.view(f), nil
}

// proposal freezes the list and stores the signed offer.
func (s *Service) proposal(ctx context.Context, r Request, p prepared, parties round.Parties) (*file, error) {
	s.deciding.Lock() // dropUnused must not take the snapshot for a stray one
	defer s.deciding.Unlock()
	own, err := s.freeze(ctx, []store.List{p.list}, p.ask, p.grant.Terms)
	if err != nil {
		return nil, err
	}
	machine, id, err := s.offer(r, p, own, parties)
	if err == nil {
		f := newFile(id, p.ask.partner.ID, machine)
		f.Lists, f.Items, f.Snapshot, f.Secret = []string{p.list.Name}, own.items, own.snapshot, own.sealed
		f.Grounds = sentences(p.grant)
		if err = s.put(ctx, f, s.decided(f, p.grant)); err == nil {
			return f, nil
		}
	}
	return nil, errors.Join(err, s.dropUnused(ctx))
}

// offer writes and signs what the partner will see.
func (s *Service) offer(r Request, p prepared, own contribution, parties round.Parties) (*round.Machine, round.ID, error) {
	id, now := round.NewID(), time.Now()
	span := r.Expires
	if span <= 0 {
		span = defaultExpiry
	}
	rules := s.o.Rules().Digest()
	machine, err := round.Propose(round.Offer{
		Version: round.Version, Round: id[:], Roster: parties.Roster[:], From: s.o.Self, To: parties.Peer,
		Created: now.UnixMilli(), Expires: now.Add(min(span, maxExpiry)).UnixMilli(),
		Kind: string(p.ask.kind), Normaliser: p.ask.kind.Version(), Purpose: p.ask.purpose, Basis: p.list.Basis,
		Asked: terms.Widest(p.ask.us, p.ask.them), Granted: p.grant.Terms, Rules: rules[:],
		Class: uint32(own.class), Commitment: own.commitment[:], Suites: own.public,
	}, parties)
	return machine, id, err
}

// denied notes in the local chain that the own rules refused, and says why.
func (s *Service) denied(ctx context.Context, p prepared) error {
	err := s.o.Store.Update(ctx, func(tx *store.Tx) error { return noteDecision(tx, round.ID{}, p.ask, p.grant) })
	if err != nil {
		return err
	}
	return &DeniedError{Grounds: sentences(p.grant)}
}

// DeniedError says which of the own rules did not allow a round. It is for own eyes.
type DeniedError struct{ Grounds []string }

func (e *DeniedError) Error() string {
	if len(e.Grounds) == 0 {
		return ErrDenied.Error() + ": no rule allows it"
	}
	return fmt.Sprintf("%v: %s", ErrDenied, e.Grounds[0])
}

// Unwrap makes errors.Is find ErrDenied.
func (e *DeniedError) Unwrap() error { return ErrDenied }

// decision is the body of a Decision entry in the local chain. It names rules, not
// records.
type decision struct {
	_        struct{} `codec:",toarray"`
	Round    []byte   // empty if there was none
	Partner  string
	Proposer bool
	Kind     string
	Purpose  string
	Asked    terms.Terms
	Granted  terms.Terms
	Grounds  []string
}

func noteDecision(tx *store.Tx, id round.ID, a ask, g policy.Grant) error {
	d := decision{
		Partner: a.partner.ID, Proposer: a.proposer, Kind: string(a.kind), Purpose: a.purpose,
		Asked: terms.Widest(a.us, a.them), Granted: g.Terms, Grounds: sentences(g),
	}
	if id != (round.ID{}) {
		d.Round = id[:]
	}
	body, err := entry.Body(d)
	if err != nil {
		return err
	}
	return tx.Append(entry.Local, entry.Decision, body, time.Now())
}

func (s *Service) decided(f *file, g policy.Grant) func(*store.Tx) error {
	o := f.machine.Offer()
	a := ask{proposer: f.machine.Proposer(), kind: indicator.Kind(o.Kind), purpose: o.Purpose, us: o.Asked.Proposer, them: o.Asked.Responder}
	a.partner.ID = f.Partner
	return func(tx *store.Tx) error { return noteDecision(tx, f.id, a, g) }
}

// contribution is one side's frozen part of a round.
type contribution struct {
	snapshot   int64
	items      int64
	class      int
	commitment [32]byte
	sealed     []byte // encoded secrets
	public     []round.SuiteKey
}

// freeze takes the snapshot that the round will use whatever happens to the lists,
// draws the round's secrets and commits to the snapshot.
func (s *Service) freeze(ctx context.Context, lists []store.List, a ask, t terms.Terms) (contribution, error) {
	snapshot, err := s.o.Store.TakeSnapshot(ctx, spec(lists, a))
	if err != nil {
		return contribution{}, err
	}
	c := contribution{snapshot: snapshot.ID, items: snapshot.Items, class: wire.SizeClass(int(snapshot.Items))}
	if err := s.complete(ctx, &c, a, t); err != nil {
		drop := s.o.Store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error { return tx.DropSnapshot(c.snapshot) })
		return contribution{}, errors.Join(err, drop)
	}
	return c, nil
}

// meetByKeys draws the secret of the suite by whose answers keys meet.
func (x *secrets) meetByKeys(c *contribution) error {
	suite, err := exact.Lookup(Suite)
	if err != nil {
		return err
	}
	secret, public, err := suite.NewSecret()
	if err != nil {
		return err
	}
	x.Suites = append(x.Suites, suiteSecret{Name: round.NamesSuite, Secret: secret})
	c.public = append(c.public, round.SuiteKey{Name: round.NamesSuite, Public: public})
	return nil
}

// errTooLong says that a list does not fit into a round.
var errTooLong = fmt.Errorf("the list has more items than a round takes, which are %d, or %d with the noise of a count: split it",
	exact.MaxItems, exact.MaxCountItems)

// spec says which lists take part in a snapshot, and what stays out.
func spec(lists []store.List, a ask) store.SnapshotSpec {
	x := store.SnapshotSpec{Kind: a.kind, Partner: a.partner.ID, Now: time.Now()}
	for _, l := range lists {
		x.Lists = append(x.Lists, l.ID)
	}
	if a.kind == indicator.Face && a.like.dimension > 0 {
		x.Keep = a.like.keeps
	}
	return x
}

// complete commits to a snapshot and draws the round's secrets.
func (s *Service) complete(ctx context.Context, c *contribution, a ask, t terms.Terms) error {
	switch {
	case c.items == 0:
		return ErrNothing
	case !round.Fits(t, uint32(c.class)):
		return errTooLong
	}
	root, err := round.Root(set{ctx: ctx, store: s.o.Store, snapshot: c.snapshot}.All())
	if err != nil {
		return err
	}
	x := secrets{Nonce: make([]byte, 32)}
	rand.Read(x.Nonce)
	c.commitment = round.Commit(x.Nonce, root)
	if a.kind.Similar() {
		var secret similar.Secret
		rand.Read(secret[:])
		like := similar.Terms{Commitment: secret.Commit(), Model: a.like.model, Dimension: a.like.dimension, Threshold: a.like.threshold}
		x.Suites = []suiteSecret{{Name: similar.Name, Secret: secret[:]}}
		c.public = []round.SuiteKey{{Name: similar.Name, Public: like.Marshal()}}
		if a.kind == indicator.Person {
			err = x.meetByKeys(c)
		}
		if err == nil {
			c.sealed, err = wire.Marshal(x)
		}
		return err
	}
	for _, name := range append(exactSuites(), round.CountSuite) {
		suite, err := exact.Lookup(name)
		if err != nil {
			return err
		}
		secret, public, err := suite.NewSecret()
		if err != nil {
			return err
		}
		x.Suites = append(x.Suites, suiteSecret{Name: name, Secret: secret})
		c.public = append(c.public, round.SuiteKey{Name: name, Public: public})
	}
	c.sealed, err = wire.Marshal(x)
	return err
}
