package rounds

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"entente/crypto/sign"
	"entente/protocol/indicator"
	"entente/protocol/person"
	"entente/protocol/round"
	"entente/protocol/similar"
	"entente/protocol/wire"
)

// Opening is what one side of a round by similarity shows an auditor: what it noted of all that
// was sent under encryption and, unless it only bears witness against the other side, the secret
// and the vectors that its own part came from. It prints nothing of itself.
type Opening struct {
	_         struct{} `codec:",toarray"`
	Version   uint16
	Asker     bool // it proposed the round
	Offer     round.Signed
	Answer    round.Signed
	Confirm   []byte   // the proposer's signature under the agreement
	Queries   [][]byte // SHA-256 of the query of each batch, as sent or received
	Replies   [][]byte // SHA-256 of each reply
	Secret    []byte   // empty: not shown
	Dimension uint16
	Vectors   []byte // in the order of the list, Dimension bytes each
}

const openingVersion = 1

// Format hides the secret and the vectors from every verb of package fmt.
func (Opening) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[opening]")) }

// Errors of openings.
var (
	ErrNoEvidence = errors.New("nothing of the round is left to be opened: it matched by equality, its time is over, or it came back from a backup")
	ErrOpening    = errors.New("the file is not an opening of a round by similarity")
)

// Opening returns what an auditor may see of a round: with the own secret and vectors, or as a
// witness only.
func (s *Service) Opening(ctx context.Context, id string, witness bool) ([]byte, error) {
	f, err := s.named(ctx, id)
	if err != nil {
		return nil, err
	}
	if !f.Evidence || len(f.Secret) == 0 {
		return nil, ErrNoEvidence
	}
	x := Opening{Version: openingVersion, Asker: f.machine.Proposer()}
	x.Offer, x.Answer, x.Confirm = f.machine.Signed()
	queries, replies, err := similar.Noted(ctx, s.o.Store.Journal(f.ID, 0))
	if err != nil {
		return nil, err
	}
	x.Queries, x.Replies = plain(queries), plain(replies)
	if witness {
		return wire.Marshal(x)
	}
	own, err := f.secrets()
	if err != nil {
		return nil, err
	}
	if x.Secret, err = own.of(similar.Name); err != nil {
		return nil, err
	}
	side := person.Probe
	if !x.Asker {
		side = person.Template
	}
	for item, err := range s.o.Store.SnapshotItems(ctx, f.Snapshot) {
		if err != nil {
			return nil, err
		}
		v, err := vector(indicator.Kind(f.machine.Offer().Kind), item.Element, side)
		if err != nil {
			return nil, err
		}
		x.Dimension = uint16(len(v))
		for _, c := range v {
			x.Vectors = append(x.Vectors, byte(c))
		}
	}
	return wire.Marshal(x)
}

func plain(digests [][32]byte) (out [][]byte) {
	for i := range digests {
		out = append(out, digests[i][:])
	}
	return out
}

// Recomputed is what an auditor finds of one side.
type Recomputed struct {
	Member string `json:"member"`
	// Agrees says that what the other side noted is what the member's secret and vectors give. If
	// not, the member sent something else, or the other side's notes are wrong: they bear no
	// signature of the member's.
	Agrees  bool   `json:"agrees"`
	Message string `json:"message"`
}

// CompareOpenings recomputes what both sides of one round sent from what they opened, and holds it
// against what the other side noted. It needs the asker's secret and vectors, because a reply
// depends on the question.
func (s *Service) CompareOpenings(ctx context.Context, first, second []byte) ([]Recomputed, error) {
	var a, b Opening
	for _, x := range []struct {
		bytes []byte
		into  *Opening
	}{{first, &a}, {second, &b}} {
		if err := wire.Unmarshal(x.bytes, x.into); err != nil || x.into.Version != openingVersion {
			return nil, ErrOpening
		}
	}
	if !a.Asker {
		a, b = b, a
	}
	if !a.Asker || b.Asker || !bytes.Equal(a.Offer.Body, b.Offer.Body) || !bytes.Equal(a.Answer.Body, b.Answer.Body) {
		return nil, fmt.Errorf("%w: the two files are not of the two sides of one round", ErrOpening)
	}
	o, answer, agreement, err := round.VerifyAgreement(a.Offer, a.Answer, a.Confirm, s.keyOf)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOpening, err)
	}
	x, err := session(o, answer)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOpening, err)
	}
	x.Agreement = agreement
	return recompute(ctx, o, x, &a, &b)
}

// keyOf is the signing key of a member, this one too.
func (s *Service) keyOf(member string) (*sign.PublicKey, bool) {
	f := s.o.Federation()
	if f == nil {
		return nil, false
	}
	if member == s.o.Self {
		return f.Own().Key, true
	}
	p, ok := f.Find(member)
	return p.Key, ok
}

// recompute recomputes both sides' parts.
func recompute(ctx context.Context, o round.Offer, x similar.Session, a, b *Opening) ([]Recomputed, error) {
	askers, err := a.opened(x)
	if err != nil {
		return nil, fmt.Errorf("open the asker's side: %w", err)
	}
	queries, err := similar.Queries(ctx, askers, a.list())
	if err != nil {
		return []Recomputed{{o.From, false, "what was opened does not fit the agreement: " + err.Error()}}, nil
	}
	out := []Recomputed{judged(o.From, "questions", queries, b.Queries)}
	if len(b.Secret) == 0 {
		return out, nil
	}
	answerers, err := b.opened(x)
	if err != nil {
		return nil, fmt.Errorf("open the answerer's side: %w", err)
	}
	replies, err := similar.Replies(ctx, askers, a.list(), answerers, b.list())
	if err != nil {
		return append(out, Recomputed{o.To, false, "what was opened does not fit the agreement: " + err.Error()}), nil
	}
	return append(out, judged(o.To, "answers", replies, a.Replies)), nil
}

// opened is the session with a side's secret.
func (x *Opening) opened(s similar.Session) (similar.Session, error) {
	if len(x.Secret) != similar.SecretSize {
		return s, errors.New("its file holds no secret: it was written for a witness")
	}
	if int(x.Dimension) != s.Dimension || len(x.Vectors)%s.Dimension != 0 {
		return s, ErrOpening
	}
	s.Secret = similar.Secret(x.Secret)
	return s, nil
}

func (x *Opening) list() openedList { return openedList{x.Vectors, int(x.Dimension)} }

// openedList are vectors of an opening.
type openedList struct {
	bytes     []byte
	dimension int
}

// Len implements similar.Vectors.
func (l openedList) Len() int { return len(l.bytes) / l.dimension }

// Vectors implements similar.Vectors.
func (l openedList) Vectors(_ context.Context, positions []int) ([][]int8, error) {
	out := make([][]int8, len(positions))
	for i, p := range positions {
		out[i] = make([]int8, l.dimension)
		for j, c := range l.bytes[p*l.dimension : (p+1)*l.dimension] {
			out[i][j] = int8(c)
		}
	}
	return out, nil
}

// judged compares what a side's secret gives with what the other noted. A round that ended early
// has fewer notes.
func judged(member, what string, computed [][32]byte, noted [][]byte) Recomputed {
	if len(noted) == 0 {
		return Recomputed{member, true, "the other side noted no " + what}
	}
	if len(noted) > len(computed) {
		return Recomputed{member, false, fmt.Sprintf("the other side noted %d %s, and there can be %d", len(noted), what, len(computed))}
	}
	for i, n := range noted {
		if !bytes.Equal(n, computed[i][:]) {
			return Recomputed{member, false, fmt.Sprintf("of %d %s that the other side noted, number %d is not what the opened secret and vectors give", len(noted), what, i+1)}
		}
	}
	return Recomputed{member, true, fmt.Sprintf("all %d %s that the other side noted are what the opened secret and vectors give", len(noted), what)}
}
