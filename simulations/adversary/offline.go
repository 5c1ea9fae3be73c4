package adversary

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"fmt"

	"entente/crypto/ristretto"
	"entente/protocol/standing"
	"entente/simulations/measure"
)

// Ways of making tags from guesses without B. Each is what would work if tags were made
// in a simpler manner, or if B had taken one secret too few.
const (
	wayHashes  = iota // if tags were hashes
	wayPublic         // if the public key sufficed
	wayNoKey          // if the key were one
	wayOwnKey         // if the key were that of A's own feed of the subscription
	wayAnswers        // if keys were the same in all subscriptions
	wayTags           // if tags were the same in all periods or subscriptions
	ways
)

func emptyWays() []Way {
	w := make([]Way, ways)
	w[wayHashes] = Way{Name: "hashes", How: "hashes of the number, under the public labels and without"}
	w[wayPublic] = Way{Name: "public_key", How: "the function's last step with B's public key"}
	w[wayNoKey] = Way{Name: "no_key", How: "the function with key one"}
	w[wayOwnKey] = Way{Name: "own_key", How: "the function with A's own key"}
	w[wayAnswers] = Way{Name: "other_answers", How: "answers that B gave A in another subscription"}
	w[wayTags] = Way{Name: "replayed_tags", How: "tags of the same list from an earlier period and another subscription"}
	return w
}

// groupDomain is the domain of HashToGroup in RFC 9497 section 4.1, mode VOPRF.
const groupDomain = "HashToGroup-OPRFV1-\x01-ristretto255-SHA512"

// tester makes tags from guesses and looks for them among the published ones. It is for
// one goroutine.
type tester struct {
	plan    *plan
	target  *published
	tags    map[standing.Tag]bool
	own     ristretto.Scalar // A's key
	group   *ristretto.Worker
	points  ristretto.Points
	encoded []byte
	scratch []byte
	ways    []Way
	named   map[int]bool
}

func newTester(p *plan, target *published, tags map[standing.Tag]bool) (*tester, error) {
	w, err := ristretto.NewWorker(ristretto.Auto)
	if err != nil {
		return nil, err
	}
	seed := p.secret("key of A", 0)
	own, err := ristretto.HashToScalar(seed[:], []byte("entente/simulations/filter-sweep/1"))
	if err != nil {
		return nil, err
	}
	return &tester{plan: p, target: target, tags: tags, own: own, group: w, ways: emptyWays(), named: map[int]bool{}}, nil
}

// try compares one string with the published tags.
func (t *tester) try(way, number int, tag standing.Tag) {
	t.ways[way].Tested++
	if t.tags[tag] {
		t.ways[way].Found++
		t.named[number] = true
	}
}

// test makes all tags that numbers give without B.
func (t *tester) test(numbers []int) error {
	inputs := make([][]byte, len(numbers))
	public := t.target.open.Period.Public[:]
	for i, n := range numbers {
		var err error
		if inputs[i], err = t.target.inputs.Element(item(n)); err != nil {
			return err
		}
		for _, form := range [][]byte{[]byte(text(n)), []byte(text(n))[1:], element(n), inputs[i]} {
			short, long := sha256.Sum256(form), sha512.Sum512(form)
			t.try(wayHashes, n, standing.Tag(short[:]))
			t.try(wayHashes, n, standing.Tag(long[:]))
			t.try(wayHashes, n, t.tagOf(form))
			t.try(wayHashes, n, t.tagOf(long[:]))
		}
		t.try(wayPublic, n, t.tagOf(finalize(inputs[i], public)))
	}
	if err := t.group.HashToGroup(&t.points, inputs, []byte(groupDomain)); err != nil {
		return err
	}
	t.testPoints(wayNoKey, numbers, inputs)
	t.group.Mul(&t.points, &t.points, &t.own)
	t.testPoints(wayOwnKey, numbers, inputs)
	return nil
}

// tagLabel is what tags are hashed under: SPEC, "Standing rounds".
const tagLabel = "entente/standing/tag/1"

// tagOf is standing.EntryOf for the tag alone, which halves the attacker's work.
func (t *tester) tagOf(output []byte) standing.Tag {
	b := binary.BigEndian.AppendUint64(t.scratch[:0], uint64(len(tagLabel)))
	b = append(b, tagLabel...)
	b = binary.BigEndian.AppendUint64(b, uint64(len(output)))
	t.scratch = append(b, output...)
	sum := sha256.Sum256(t.scratch)
	return standing.Tag(sum[:])
}

// testPoints finishes the function for evaluated elements.
func (t *tester) testPoints(way int, numbers []int, inputs [][]byte) {
	t.encoded = append(t.encoded[:0], make([]byte, ristretto.Size*len(numbers))...)
	t.group.Encode(t.encoded, &t.points)
	for i, n := range numbers {
		t.try(way, n, t.tagOf(finalize(inputs[i], t.encoded[i*ristretto.Size:(i+1)*ristretto.Size])))
	}
}

// finalize is the last step of the function, RFC 9497 section 3.3.1.
func finalize(input, element []byte) []byte {
	h := sha512.New()
	for _, part := range [][]byte{input, element} {
		h.Write(binary.BigEndian.AppendUint16(nil, uint16(len(part))))
		h.Write(part)
	}
	h.Write([]byte("Finalize"))
	return h.Sum(nil)
}

// sweepTags tests all guesses against the published tags, without B.
func sweepTags(ctx context.Context, p *plan, b *holder, told Progress, r *Report) error {
	tags := b.current.set()
	watch := measure.Start()
	all, err := newTester(p, b.current, tags)
	if err != nil {
		return err
	}
	err = each(ctx, p.Guesses,
		func() (*tester, error) { return newTester(p, b.current, tags) },
		func(t *tester, from, to int) error { return t.test(p.order[from:to]) },
		all.merge,
		func(done int) { told("tags, offline", done, p.Guesses) })
	if err == nil {
		err = all.testOthers(ctx, b)
	}
	if err != nil {
		return fmt.Errorf("sweep the tags: %w", err)
	}
	r.Measured.Tags = watch.Span()
	r.Results.Tags = Tags{Outcome: p.outcome(p.Guesses, all.named, 0), Published: len(tags), Ways: all.ways}
	r.Results.Tags.Control, err = control(ctx, p, b.current, tags)
	return err
}

// merge adds what another tester has found.
func (t *tester) merge(o *tester) {
	for i := range t.ways {
		t.ways[i].Tested += o.ways[i].Tested
		t.ways[i].Found += o.ways[i].Found
	}
	for n := range o.named {
		t.named[n] = true
	}
}

// testOthers tests what A has from B's other publications of the same list: the answers
// to a whole quota of questions, and the tags.
func (t *tester) testOthers(ctx context.Context, b *holder) error {
	asked := t.plan.order[:min(t.plan.Quota, len(t.plan.order))]
	answers, err := tagsOf(ctx, b.other.open.Key, inputsOf(b.other.inputs, asked), unseen)
	if err != nil {
		return err
	}
	for i, n := range asked {
		t.try(wayAnswers, n, answers[i])
	}
	for _, old := range []*published{b.before, b.other} {
		for _, tag := range old.tags {
			t.ways[wayTags].Tested++
			if t.tags[tag] {
				t.ways[wayTags].Found++ // names no number: A does not know whose it is
			}
		}
	}
	return nil
}

// unseen is for work too short to be told of.
func unseen(int) {}

func inputsOf(in standing.Inputs, numbers []int) [][]byte {
	all := make([][]byte, len(numbers))
	for i, n := range numbers {
		all[i], _ = in.Element(item(n)) // numbers of the plan always encode
	}
	return all
}

// control makes the tags with B's key, of the listed numbers and of as many others.
func control(ctx context.Context, p *plan, target *published, tags map[standing.Tag]bool) (Way, error) {
	w := Way{Name: "control", How: "the function with B's key, which A does not have"}
	numbers := append([]int(nil), p.list...)
	for _, n := range p.order {
		if len(numbers) == 2*p.Held {
			break
		}
		if !p.listed[n] {
			numbers = append(numbers, n)
		}
	}
	made, err := tagsOf(ctx, target.open.Key, inputsOf(target.inputs, numbers), unseen)
	for _, tag := range made {
		w.Tested++
		if tags[tag] {
			w.Found++
		}
	}
	return w, err
}
