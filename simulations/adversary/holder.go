package adversary

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"entente/crypto/oprf"
	"entente/crypto/sign"
	"entente/protocol/standing"
)

// What the two sides have agreed. No urgent checks: each would add standing.MinPlaces
// places a day to what A can try.
const (
	periodDays  = 7
	lifeDays    = 90
	day         = 24 * time.Hour
	periodIndex = 2 // there was a tag period before, whose tags A has kept
)

// began is when the tag period begins, by the clock of the scenario.
func began() time.Time { return time.Date(2030, time.January, 7, 0, 0, 0, 0, time.UTC) }

// published is a publication of B's list with its key.
type published struct {
	session standing.Session // as B sees it
	inputs  standing.Inputs
	open    standing.Open
	tags    []standing.Tag // ascending
	mark    standing.Mark  // after the publication
}

// holder is B: one list, published in the tag period in force, in the one before it, and
// in another subscription.
type holder struct {
	key                    *sign.PrivateKey
	current, before, other *published
}

func newHolder(ctx context.Context, p *plan, told Progress) (*holder, error) {
	key, err := p.signingKey("B")
	if err != nil {
		return nil, err
	}
	b := &holder{key: key}
	for i, one := range []struct {
		to           **published
		subscription uint32
		index        uint32
	}{{&b.current, 0, periodIndex}, {&b.before, 0, periodIndex - 1}, {&b.other, 1, periodIndex}} {
		s := p.session(one.subscription)
		s.Key = key
		tags := int(s.Tags)
		progress := func(done int) { told("publications of B", i*tags+done, 3*tags) }
		if *one.to, err = p.publish(ctx, s, one.subscription, one.index, progress); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// signingKey derives a member's key.
func (p *plan) signingKey(member string) (*sign.PrivateKey, error) {
	classic, lattice := p.secret("signing key of "+member, 0), p.secret("signing key of "+member, 1)
	return sign.NewPrivateKey(slices.Concat(classic[:], lattice[:]))
}

// session is one feed in which A asks and B holds, without keys, clock and side.
func (p *plan) session(subscription uint32) standing.Session {
	s := standing.Session{
		Agreement: p.secret("agreement", subscription), Feed: 0,
		Kinds:   []standing.Kind{{Name: kind, Version: kindVersion}},
		Created: began().Add(-periodDays * day).UnixMilli(), Expires: began().Add(lifeDays * day).UnixMilli(),
		Cadence: uint32(day / time.Second), PeriodSeconds: uint32(periodDays * day / time.Second),
		Queries: uint32(p.Quota), Now: began,
	}
	s.Tags = uint32(s.PublicationClass(p.Held))
	return s
}

// publish computes the tags of one tag period with the code that nodes use.
func (p *plan) publish(ctx context.Context, s standing.Session, subscription, index uint32, told func(int)) (*published, error) {
	secret := p.secret("secret of B", subscription)
	key, err := standing.HolderKey(secret[:], s.Agreement, s.Feed, index, p.secret("nonce", subscription<<8|index))
	if err != nil {
		return nil, err
	}
	out := &published{session: s, inputs: standing.NewInputs(s.Agreement, s.Feed, index)}
	padding := p.secret("dummies", subscription<<8|index)
	inputs := make([][]byte, s.Tags)
	for i := range inputs {
		if i >= p.Held {
			inputs[i] = out.inputs.Padding(padding[:], uint32(i))
		} else if inputs[i], err = out.inputs.Element(item(p.list[i])); err != nil {
			return nil, err
		}
	}
	if out.tags, err = tagsOf(ctx, key, inputs, told); err != nil {
		return nil, err
	}
	slices.SortFunc(out.tags, func(a, b standing.Tag) int { return bytes.Compare(a[:], b[:]) })
	if out.mark, err = standing.Published(s.Agreement, s.Feed, index, s.Tags, out.publication(0)); err != nil {
		return nil, err
	}
	starts := began().Add(time.Duration(int(index)-periodIndex) * periodDays * day)
	out.open.Key = key
	out.open.Period, out.open.Signed, err = standing.SignPeriod(s, index, starts.UnixMilli(),
		starts.Add(periodDays*day).UnixMilli(), key.Public(), out.mark)
	return out, err
}

func (p *published) publication(block uint32) iter.Seq2[standing.Tag, error] {
	return func(yield func(standing.Tag, error) bool) {
		for _, t := range p.tags[min(int(block)*standing.BlockTags, len(p.tags)):] {
			if !yield(t, nil) {
				return
			}
		}
	}
}

// set returns the published tags for look-ups.
func (p *published) set() map[standing.Tag]bool {
	m := make(map[standing.Tag]bool, len(p.tags))
	for _, t := range p.tags {
		m[t] = true
	}
	return m
}

// tagsOf computes the tags of inputs with a key, as their holder can.
func tagsOf(ctx context.Context, key *oprf.Key, inputs [][]byte, told func(done int)) ([]standing.Tag, error) {
	tags := make([]standing.Tag, len(inputs))
	err := each(ctx, len(inputs),
		func() (*oprf.Key, error) { return key, nil },
		func(key *oprf.Key, from, to int) error {
			outputs, err := key.Outputs(inputs[from:to])
			for i, output := range outputs {
				tags[from+i] = standing.EntryOf(output).Tag
			}
			return err
		},
		func(*oprf.Key) {}, told)
	if err != nil {
		return nil, fmt.Errorf("compute tags: %w", err)
	}
	return tags, nil
}
