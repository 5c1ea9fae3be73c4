package rounds

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"entente/node/store"
	"entente/protocol/exact"
	"entente/protocol/indicator"
	"entente/protocol/names"
	"entente/protocol/person"
	"entente/protocol/round"
	"entente/protocol/similar"
	"entente/protocol/terms"
	"entente/protocol/wire"
)

// likeness is what a round by similarity compares: vectors of one model.
type likeness struct {
	model     [16]byte
	dimension int
	threshold int // offered, or 0 while none is
}

// personModel is what vectors of persons are of. Their places and weights belong to a version.
func personModel() [16]byte {
	return similar.NameModel(fmt.Sprintf("%s/%d", indicator.Person, person.Version))
}

// keeps reports whether a face is of the model. (Persons are all of one.)
func (l likeness) keeps(element []byte) bool {
	model, vector, ok := indicator.FaceVector(element)
	return ok && len(vector) == l.dimension && similar.NameModel(model) == l.model
}

// vector is what stands for an element on one side of a run.
func vector(kind indicator.Kind, element []byte, side person.Side) ([]int8, error) {
	if kind == indicator.Person {
		p, err := person.Restore(element)
		if err != nil {
			return nil, err
		}
		return p.Profile().Features(side)[:], nil
	}
	_, out, ok := indicator.FaceVector(element)
	if !ok {
		return nil, errors.New("the stored element is no face")
	}
	return out, nil
}

// likenessOf is what an own proposal is about: of persons the version that this program knows,
// of faces the model that all of the list's that may take part are of, or the one that is named.
func (s *Service) likenessOf(ctx context.Context, a ask, lists []store.List, named string) (likeness, error) {
	if a.kind == indicator.Person {
		return likeness{model: personModel(), dimension: person.Dimensions}, nil
	}
	type version struct {
		model     string
		dimension int
	}
	models := map[version]bool{}
	x := spec(lists, a)
	x.Keep = func(element []byte) bool {
		model, vector, ok := indicator.FaceVector(element)
		if ok && (named == "" || model == named) {
			models[version{model, len(vector)}] = true
		}
		return ok
	}
	if _, err := s.o.Store.PlanSnapshot(ctx, x); err != nil {
		return likeness{}, err
	}
	switch {
	case len(models) == 0 && named != "":
		return likeness{}, fmt.Errorf("%w: none is of the model that was named", ErrNothing)
	case len(models) == 0:
		return likeness{}, ErrNothing
	case len(models) > 1:
		return likeness{}, errors.New("the list holds faces of several models or dimensions, which cannot be compared: say which model with --model")
	}
	for v := range models {
		return likeness{model: similar.NameModel(v.model), dimension: v.dimension}, nil
	}
	return likeness{}, ErrNothing
}

// likenessIn reads what an offer or an answer says of vectors.
func likenessIn(suites []round.SuiteKey) (similar.Terms, error) {
	i := slices.IndexFunc(suites, func(k round.SuiteKey) bool { return k.Name == similar.Name })
	if i < 0 {
		return similar.Terms{}, &wire.ProtocolError{Code: wire.UnsupportedVersion, Err: errors.New("the partner offers no suite for similar records")}
	}
	t, err := similar.ParseTerms(suites[i].Public)
	if err != nil {
		return t, &wire.ProtocolError{Code: wire.Malformed, Err: err}
	}
	return t, nil
}

// mostThreshold is the largest threshold for which no vector of a kind is too long: a score less
// the threshold must have sixteen bits.
func mostThreshold(kind indicator.Kind, dimension int) int {
	if kind == indicator.Person {
		return person.MaxThreshold
	}
	norm := 127 + int(math.Ceil(math.Sqrt(float64(dimension))/2)) // of a unit vector, rounded
	return min(similar.MaxThreshold, 1<<15-1-norm*norm)
}

// fitsSimilar checks what depends on programs alone in an offer to compare vectors.
func fitsSimilar(o round.Offer, kind indicator.Kind) error {
	t, err := likenessIn(o.Suites)
	switch {
	case err != nil:
		return err
	case o.Asked.Proposer == terms.Count || o.Asked.Responder == terms.Count:
		return &wire.ProtocolError{Code: wire.Malformed, Err: errors.New("similar records are not counted")}
	case kind == indicator.Person && (t.Model != personModel() || t.Dimension != person.Dimensions):
		return &wire.ProtocolError{Code: wire.UnsupportedVersion, Err: errors.New("the two sides derive other vectors from names")}
	case t.Threshold > mostThreshold(kind, t.Dimension):
		return &wire.ProtocolError{Code: wire.Malformed, Err: errors.New("the threshold is above what scores of the kind have room for")}
	}
	return nil
}

// comparison is what both sides of a round agreed on, without the own secrets.
type comparison struct {
	all  similar.Session // of all pairs
	keys *names.Session  // of candidates alone, if they are found by keys
}

// pairs is how many pairs are counted: all places, or as many candidates as there may be.
func (c comparison) pairs() int64 {
	if c.keys != nil {
		return int64(c.keys.Candidates)
	}
	return c.all.Pairs()
}

// mostAllPairs is how many pairs of places are compared whole, which shows nothing of keys. More
// of them take more bytes than meeting by keys first (30 MB).
const mostAllPairs = 1 << 18

// byKeys reports whether a round over lists of these classes meets by keys first. Both sides learn
// which keys they have in common, so it does so only where both learn which records are alike.
func byKeys(kind indicator.Kind, probes, templates int, t terms.Terms) bool {
	return kind == indicator.Person && t.Proposer == terms.IDs && t.Responder == terms.IDs &&
		int64(similar.Places(probes))*int64(templates) > mostAllPairs
}

// keyed reports whether suites name the one by which keys meet.
func keyed(suites []round.SuiteKey) int {
	return slices.IndexFunc(suites, func(k round.SuiteKey) bool { return k.Name == round.NamesSuite })
}

// session is what an offer and its answer agree on. The error is what the partner did wrong, if
// the answer is not one to the offer.
func session(o round.Offer, a round.Answer) (comparison, error) {
	fail := func(code wire.Code, err error) (comparison, error) {
		return comparison{}, &wire.ProtocolError{Code: code, Err: err}
	}
	offered, err := likenessIn(o.Suites)
	if err != nil {
		return comparison{}, err
	}
	agreed, err := likenessIn(a.Suites)
	if err != nil {
		return comparison{}, err
	}
	if agreed.Threshold > mostThreshold(indicator.Kind(o.Kind), agreed.Dimension) {
		return fail(wire.Malformed, errors.New("the threshold is above what scores of the kind have room for"))
	}
	if agreed.Model != offered.Model || agreed.Dimension != offered.Dimension || agreed.Threshold < offered.Threshold {
		return fail(wire.AboveGrant, errors.New("the answer is about other vectors than the offer, or goes below its threshold"))
	}
	x := similar.Session{
		Model: hex.EncodeToString(agreed.Model[:]), Dimension: agreed.Dimension, Threshold: agreed.Threshold,
		Learns: learners(a.Terms), AskerCommitment: offered.Commitment, AnswererCommitment: agreed.Commitment,
	}
	keys := keyed(a.Suites)
	if want := keyed(o.Suites) >= 0 && byKeys(indicator.Kind(o.Kind), int(o.Class), int(a.Class), a.Terms); want != (keys >= 0) {
		return fail(wire.Malformed, errors.New("the answer meets by keys, or does not, where the lists' sizes and the terms want the other"))
	}
	if keys < 0 {
		x.Fit(int(o.Class), int(a.Class))
		if err := x.Check(); err != nil {
			return fail(wire.TooLarge, err)
		}
		return comparison{all: x}, nil
	}
	n := names.Session{
		Kind: o.Kind, Version: person.Version, Model: x.Model, Dimension: x.Dimension, Threshold: x.Threshold,
		Probes: int(o.Class), Templates: int(a.Class), Candidates: names.Bound(int(o.Class), int(a.Class)), Learns: x.Learns,
		AskerCommitment: x.AskerCommitment, AnswererCommitment: x.AnswererCommitment, KeyPublic: a.Suites[keys].Public,
	}
	if err := exact.CheckPublic(Suite, n.KeyPublic); err != nil {
		return comparison{}, err
	}
	if err := n.Check(); err != nil {
		return fail(wire.TooLarge, err)
	}
	return comparison{all: n.Similar(), keys: &n}, nil
}

// learners names who learns the bits. The proposer asks.
func learners(t terms.Terms) similar.Learns {
	var l similar.Learns
	if t.Proposer != terms.None {
		l |= similar.AskerLearns
	}
	if t.Responder != terms.None {
		l |= similar.AnswererLearns
	}
	return l
}

// model is the one that an offer names.
func model(o round.Offer) [16]byte {
	t, err := likenessIn(o.Suites)
	if err != nil {
		return [16]byte{} // not reached: the offer has been checked
	}
	return t.Model
}

// pairs is how many pairs a round with the partner's list compares, or would; 0 while its size is
// not known.
func (a ask) pairs(own int64) int64 {
	if a.theirs == 0 || a.agreed > 0 {
		return a.agreed
	}
	probes, templates := a.theirs, own
	if a.proposer {
		probes, templates = own, a.theirs
	}
	if byKeys(a.kind, int(probes), int(templates), terms.Widest(a.us, a.them)) {
		return int64(names.Bound(int(probes), int(templates)))
	}
	x := similar.Session{Dimension: a.like.dimension, Threshold: max(a.like.threshold, 1)}
	x.Fit(int(probes), int(templates))
	return x.Pairs()
}

// likens finds out what an own request compares.
func (s *Service) likens(ctx context.Context, r Request, p *prepared) (err error) {
	if p.ask.us == terms.Count || p.ask.them == terms.Count {
		return fmt.Errorf("records of kind %s are matched by similarity and not counted: ask which, not count", p.ask.kind)
	}
	if p.ask.like, err = s.likenessOf(ctx, p.ask, []store.List{p.list}, r.Model); err != nil {
		return err
	}
	return s.o.Store.View(ctx, func(tx *store.Tx) error {
		_, _, threshold, err := compared(tx, p.ask.partner.ID, p.ask.like.model, time.Now())
		p.ask.like.threshold = int(threshold)
		return err
	})
}

// choose settles the threshold of an own offer: the month's if there is one, else the one that
// was asked for, else that of the kind; never one below the own rules'.
func (p *prepared) choose(asked int) error {
	least, fixed := int(p.grant.MinScore), p.ask.like.threshold
	switch {
	case max(asked, least) > mostThreshold(p.ask.kind, p.ask.like.dimension), asked < 0:
		return fmt.Errorf("a threshold is 1 to %d for records of this kind", mostThreshold(p.ask.kind, p.ask.like.dimension))
	case fixed > 0 && asked > 0 && asked != fixed:
		return fmt.Errorf("the threshold with this partner is %d until the month ends: answers under several would add up to a score", fixed)
	case fixed > mostThreshold(p.ask.kind, p.ask.like.dimension):
		return fmt.Errorf("the threshold with this partner is %d until the month ends, which vectors of this dimension have no room for", fixed)
	case fixed > 0 && fixed < least, fixed == 0 && asked > 0 && asked < least:
		return fmt.Errorf("the own rules want a threshold of at least %d", least)
	case fixed > 0:
		return nil
	case asked > 0:
		p.ask.like.threshold = asked
	case p.ask.kind == indicator.Person:
		p.ask.like.threshold = max(least, person.DefaultThreshold)
	default:
		return errThreshold
	}
	return nil
}
