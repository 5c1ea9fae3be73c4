package rounds

import (
	"bytes"
	"context"
	"errors"
	"fmt"

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
	errOpening    = errors.New("the file is not an opening of a round by similarity")
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

// Finding is what an auditor finds of one side.
type Finding struct {
	Member  string `json:"member"`
	Honest  bool   `json:"honest"` // what it sent is what its secret and its vectors give
	Message string `json:"message"`
}

// CompareOpenings recomputes what both sides of one round sent from what they opened, and holds it
// against what the other side noted. Signatures are checked by who has the roster; here both
// openings must be of one agreement. It needs the asker's secret and vectors, because a reply
// depends on the question.
func CompareOpenings(ctx context.Context, first, second []byte) ([]Finding, error) {
	var a, b Opening
	for _, x := range []struct {
		bytes []byte
		into  *Opening
	}{{first, &a}, {second, &b}} {
		if err := wire.Unmarshal(x.bytes, x.into); err != nil || x.into.Version != openingVersion {
			return nil, errOpening
		}
	}
	if !a.Asker {
		a, b = b, a
	}
	if !a.Asker || b.Asker || !bytes.Equal(a.Offer.Body, b.Offer.Body) || !bytes.Equal(a.Answer.Body, b.Answer.Body) {
		return nil, errors.New("the two files are not the two sides' openings of one round")
	}
	var o round.Offer
	var answer round.Answer
	if wire.Unmarshal(a.Offer.Body, &o) != nil || wire.Unmarshal(a.Answer.Body, &answer) != nil {
		return nil, errOpening
	}
	s, err := session(o, answer)
	if err != nil {
		return nil, err
	}
	s.Agreement = round.AgreementOf(a.Offer, a.Answer)
	askers, err := a.opened(s)
	if err != nil {
		return nil, fmt.Errorf("open the asker's side: %w", err)
	}
	queries, err := similar.Queries(ctx, askers, a.list())
	if err != nil {
		return []Finding{{o.From, false, "the opened vectors do not fit the agreement: " + err.Error()}}, nil
	}
	out := []Finding{judged(o.From, "questions", queries, b.Queries)}
	if len(b.Secret) == 0 {
		return out, nil
	}
	answerers, err := b.opened(s)
	if err != nil {
		return nil, fmt.Errorf("open the answerer's side: %w", err)
	}
	replies, err := similar.Replies(ctx, askers, a.list(), answerers, b.list())
	if err != nil {
		return append(out, Finding{o.To, false, "the opened vectors do not fit the agreement: " + err.Error()}), nil
	}
	return append(out, judged(o.To, "answers", replies, a.Replies)), nil
}

// opened is the session with a side's secret.
func (x *Opening) opened(s similar.Session) (similar.Session, error) {
	if len(x.Secret) != similar.SecretSize {
		return s, errors.New("its file holds no secret: it was written for a witness")
	}
	if int(x.Dimension) != s.Dimension || len(x.Vectors)%s.Dimension != 0 {
		return s, errOpening
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
func judged(member, what string, computed [][32]byte, noted [][]byte) Finding {
	if len(noted) == 0 {
		return Finding{member, true, "the other side noted no " + what}
	}
	if len(noted) > len(computed) {
		return Finding{member, false, fmt.Sprintf("the other side noted %d %s, and there can be %d", len(noted), what, len(computed))}
	}
	for i, n := range noted {
		if !bytes.Equal(n, computed[i][:]) {
			return Finding{member, false, fmt.Sprintf("%s %d of %d that the other side noted are not what the opened secret and vectors give", what, i+1, len(noted))}
		}
	}
	return Finding{member, true, fmt.Sprintf("all %d %s that the other side noted are what the opened secret and vectors give", len(noted), what)}
}
