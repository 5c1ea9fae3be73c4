package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"net"
	"runtime"
	"slices"
	"sync"
	"time"

	"entente/crypto/oprf"
	"entente/crypto/ristretto"
	"entente/crypto/sign"
	"entente/protocol/standing"
	"entente/protocol/tags"
	"entente/simulations/measure"
)

// runStanding publishes a list of held items in one tag period of a standing round and then
// asks about new ones, fifty of which are held: holder and asker in this process, over a
// pipe. What a holder's core spends on the questions is measured by itself.
func runStanding(ctx context.Context, m *meter, p Params) error {
	b := &standingBench{held: int(p["held"]), fresh: int(p["new"])}
	m.result.Kernel = ristretto.Detect().String()
	if err := m.prepare("agree", b.agree); err != nil {
		return err
	}
	if err := m.measure("compute tags", func() error { return b.compute(ctx) }); err != nil {
		return err
	}
	if err := m.measure("publish", func() error { return b.sync(ctx) }); err != nil {
		return err
	}
	if len(b.cache.tags) != len(b.shelf.tags) {
		return fmt.Errorf("%d of %d tags arrived", len(b.cache.tags), len(b.shelf.tags))
	}
	m.figure("publication_bits_per_item", 8*float64(b.bytes)/float64(len(b.shelf.tags)))
	m.figure("tags", float64(len(b.shelf.tags)))
	b.ask()
	if err := m.measure("batch", func() error { return b.sync(ctx) }); err != nil {
		return err
	}
	m.figure("batch_bytes", float64(b.bytes))
	hits := b.hits()
	if want := min(b.held, b.fresh, sharedItems); hits != want {
		return fmt.Errorf("found %d shared items, not %d", hits, want)
	}
	return b.holderAlone(m)
}

// holderAlone measures what the holder's cores spend on the batch: each chunk evaluated and
// proved. The questions are others than those of the sync, which costs the same.
func (b *standingBench) holderAlone(m *meter) error {
	var chunks [][]byte
	err := m.prepare("blind", func() (err error) {
		chunks, err = b.requests()
		return err
	})
	if err != nil {
		return err
	}
	start := measure.ProcessorTime()
	for _, request := range chunks {
		if _, _, err := b.key.Evaluate(request); err != nil {
			return err
		}
	}
	m.figure("holder_batch_cpu_seconds", (measure.ProcessorTime() - start).Seconds())
	return nil
}

// standingBench is the state of both sides.
type standingBench struct {
	held, fresh   int
	holder, asker standing.Session
	secret        []byte
	key           *oprf.Key
	shelf         benchShelf
	meter         benchMeter
	cache         benchCache
	asking        benchAsking
	bytes         uint64
}

func (b *standingBench) agree() error {
	holder, err := sign.Generate()
	if err != nil {
		return err
	}
	asker, err := sign.Generate()
	if err != nil {
		return err
	}
	now := time.Now()
	s := standing.Session{
		Agreement: [32]byte{1}, Kinds: []standing.Kind{{Name: "phone", Version: 1}}, Created: now.UnixMilli(),
		Expires: now.Add(30 * 24 * time.Hour).UnixMilli(), Cadence: 24 * 60 * 60, PeriodSeconds: 7 * 24 * 60 * 60,
		Tags: standing.MaxTags, Queries: standing.MaxTags, Now: time.Now,
	}
	b.holder, b.asker = s, s
	b.holder.Key, b.holder.PeerKey = holder, asker.Public()
	b.asker.Key, b.asker.PeerKey, b.asker.Asker = asker, holder.Public(), true
	b.secret = make([]byte, standing.SecretSize)
	b.key, err = standing.HolderKey(b.secret, s.Agreement, s.Feed, 1, [32]byte{2})
	return err
}

// element is an invented item; the last fifty held ones are the first new ones.
func element(i int) standing.Item {
	return standing.Item{Kind: "phone", Version: 1, Element: binary.BigEndian.AppendUint64([]byte{1}, uint64(i))}
}

// compute works out the holder's tags on all cores, sorts and signs them.
func (b *standingBench) compute(ctx context.Context) error {
	in := standing.NewInputs(b.holder.Agreement, b.holder.Feed, 1)
	class := b.holder.PublicationClass(b.held)
	list := make([]tags.Tag, class)
	part := func(first int) error {
		inputs := make([][]byte, min(groupBatch, class-first))
		for i := range inputs {
			if first+i >= b.held {
				inputs[i] = in.Padding(b.secret, uint32(first+i))
				continue
			}
			var err error
			if inputs[i], err = in.Element(element(first + i)); err != nil {
				return err
			}
		}
		outputs, err := b.key.Outputs(inputs)
		for i, out := range outputs {
			list[first+i] = standing.EntryOf(out).Tag
		}
		return err
	}
	if err := onAllCores(ctx, class, groupBatch, part); err != nil {
		return err
	}
	tags.Sort(list, func(t *tags.Tag) *tags.Tag { return t })
	mark, err := standing.Published(b.holder.Agreement, b.holder.Feed, 1, uint32(class), eachTag(list))
	if err != nil {
		return err
	}
	now := time.Now().UnixMilli()
	period, signed, err := standing.SignPeriod(b.holder, 1, now, now+24*60*60*1000, b.key.Public(), mark)
	b.shelf = benchShelf{open: standing.Open{Period: period, Signed: signed, Key: b.key}, tags: list, mark: mark}
	return err
}

// onAllCores calls part with the first index of each batch of n.
func onAllCores(ctx context.Context, n, batch int, part func(first int) error) error {
	firsts := make(chan int)
	errs := make([]error, runtime.GOMAXPROCS(0))
	var work sync.WaitGroup
	for i := range errs {
		work.Go(func() {
			for first := range firsts {
				if errs[i] == nil {
					errs[i] = part(first)
				}
			}
		})
	}
	for first := 0; first < n && ctx.Err() == nil; first += batch {
		firsts <- first
	}
	close(firsts)
	work.Wait()
	return errors.Join(append(errs, ctx.Err())...)
}

// ask makes the questions about the new items.
func (b *standingBench) ask() {
	first := b.held - min(b.held, b.fresh, sharedItems)
	last := first + b.fresh
	for n, class := range standing.PlanQuestions(b.fresh) {
		q := standing.Question{Number: uint32(n), Class: class, Seed: [standing.SecretSize]byte{byte(n), byte(n >> 8), 1}}
		for len(q.Items) < class && first < last {
			q.Items = append(q.Items, element(first))
			first++
		}
		b.asking.questions = append(b.asking.questions, q)
	}
}

// sync is one sync of both sides.
func (b *standingBench) sync(ctx context.Context) error {
	x, y := net.Pipe()
	var held error
	var peer sync.WaitGroup
	peer.Go(func() {
		_, held = standing.Hold(ctx, y, b.holder, &b.shelf, &b.meter, benchReceipts{})
		held = errors.Join(held, y.Close())
	})
	sum, asked := standing.Ask(ctx, x, b.asker, &b.cache, &b.asking)
	asked = errors.Join(asked, x.Close())
	peer.Wait()
	b.bytes = sum.Sent + sum.Got
	return errors.Join(asked, held)
}

// hits are the answers whose tag is published.
func (b *standingBench) hits() int {
	n := 0
	for _, t := range b.asking.tags {
		if _, ok := slices.BinarySearchFunc(b.cache.tags, t, tags.Compare); ok {
			n++
		}
	}
	return n
}

// requests blinds as many elements as the batch has places, a chunk at a time.
func (b *standingBench) requests() (chunks [][]byte, err error) {
	for n, class := range standing.PlanQuestions(b.fresh) {
		inputs, blinds := make([][]byte, class), make([]oprf.Scalar, class)
		for i := range inputs {
			inputs[i] = binary.BigEndian.AppendUint64(nil, uint64(n*standing.MaxPlaces+i))
			if blinds[i], err = oprf.DeriveScalar(b.secret, uint64(n*standing.MaxPlaces+i)); err != nil {
				return nil, err
			}
		}
		batch, err := b.key.Public().Blind(inputs, blinds)
		if err != nil {
			return nil, err
		}
		chunks = append(chunks, batch.Blinded())
	}
	return chunks, nil
}

func eachTag(list []tags.Tag) iter.Seq2[tags.Tag, error] {
	return func(yield func(tags.Tag, error) bool) {
		for _, t := range list {
			if !yield(t, nil) {
				return
			}
		}
	}
}
