package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"math"
	mathrand "math/rand/v2"

	"entente/crypto/compare"
	"entente/crypto/he"
)

const (
	faceDimension = 512
	// faceNorm is what unit vectors are multiplied by, so that their squared norm stays below
	// 2¹⁴ after rounding.
	faceNorm = 127
	// faceThreshold is a cosine of 0.4, a usual one for embeddings of faces.
	faceThreshold = 6452
	// preparedBlocks is how many blocks of templates a single probe's bench lays out; it goes
	// through them as often as the gallery asks. They are larger than any cache.
	preparedBlocks = 4
)

// faces is one run of the bench.
type faces struct {
	*meter
	ctx    context.Context
	params *he.Parameters
	sent   int     // bytes of a batch, both directions
	spent  float64 // processor seconds of comparisons
}

// runFaces measures what protocol/similar does for faces: a batch of probes against templates,
// with the comparison and every decision checked against the clear, and one probe against a
// gallery, whose templates are laid out beforehand.
func runFaces(ctx context.Context, m *meter, p Params) error {
	params, err := he.New()
	if err != nil {
		return err
	}
	m.result.Kernel = he.Kernel()
	f := &faces{meter: m, ctx: ctx, params: params}
	if err := f.batch(int(p["probes"]), int(p["templates"])); err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	if err := f.single(int(p["gallery"])); err != nil {
		return fmt.Errorf("single probe: %w", err)
	}
	return nil
}

// embeddings draws templates, of which one in eight resembles a probe.
func embeddings(r *mathrand.Rand, count int, like [][]int8) [][]int8 {
	out := make([][]int8, count)
	for i := range out {
		raw, sum := make([]float64, faceDimension), 0.0
		for j := range raw {
			raw[j] = r.NormFloat64()
			if i%8 == 0 && len(like) > 0 { // cosines from about 0.2 to 0.7
				near := 0.2 + 0.8*float64(i/8%16)/16
				raw[j] += near * float64(like[i%len(like)][j]) / faceNorm * math.Sqrt(faceDimension)
			}
			sum += raw[j] * raw[j]
		}
		out[i] = make([]int8, faceDimension)
		for j, x := range raw {
			out[i][j] = int8(math.Round(x / math.Sqrt(sum) * faceNorm))
		}
	}
	return out
}

// asked encrypts probes and lets an answerer take them.
func (f *faces) asked(name string, l he.Layout, probes [][]int8) (*he.Answerer, *he.Opener, error) {
	var public, secret [he.SeedSize]byte
	_, _ = rand.Read(public[:]) // never fails
	_, _ = rand.Read(secret[:])
	seeds, err := he.NewSeeds(public, secret)
	if err != nil {
		return nil, nil, err
	}
	query := make([][]byte, l.Ciphertexts())
	var q *he.Query
	err = f.measure(name+"query", func() (err error) {
		if q, err = f.params.NewQuery(l, seeds, probes); err != nil {
			return err
		}
		for i := range query {
			if query[i], err = q.Ciphertext(i); err != nil {
				return err
			}
		}
		return f.ctx.Err()
	})
	if err != nil {
		return nil, nil, err
	}
	var a *he.Answerer
	err = f.measure(name+"take", func() (err error) {
		if a, err = f.params.NewAnswerer(l, public, q.PublicKey()); err != nil {
			return err
		}
		for _, c := range query {
			if err := a.Take(c); err != nil {
				return err
			}
		}
		return f.ctx.Err()
	})
	f.sent += (1 + len(query)) * he.CiphertextSize
	return a, q.Opener(), err
}

// batch compares probes with templates.
func (f *faces) batch(probes, templates int) error {
	r := mathrand.New(mathrand.NewPCG(1, 2))
	var own, others [][]int8
	if err := f.prepare("generate", func() error {
		own = embeddings(r, probes, nil)
		others = embeddings(r, templates, own)
		return nil
	}); err != nil {
		return err
	}
	l := he.Layout{Dimension: faceDimension, Slots: he.Degree, Split: 1}
	a, o, err := f.asked("", l, own)
	if err != nil {
		return err
	}
	c, err := f.comparison()
	if err != nil {
		return err
	}
	wrong, hits, replies := 0, 0, 0
	for from := 0; from < templates; from += l.Step() {
		step := others[from:min(from+l.Step(), templates)]
		var theirs []he.Reply
		mine := make([][]uint16, len(step))
		if err := f.measure("reply", func() error {
			g, err := f.params.Gallery(l, step)
			if err != nil {
				return err
			}
			theirs, err = a.Replies(f.ctx, g, rand.Reader)
			return err
		}); err != nil {
			return err
		}
		if err := f.measure("open", func() error {
			for i, reply := range theirs {
				if mine[i], err = o.Open(reply.Ciphertext); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
		for i, reply := range theirs {
			f.sent, replies = f.sent+len(reply.Ciphertext), replies+1
			bits, err := c.compare(f, reply.Shares, mine[i])
			if err != nil {
				return err
			}
			err = f.prepare("check", func() error {
				for n, probe := range own {
					hit := dot(probe, step[i]) >= faceThreshold
					if bits[n] {
						hits++
					}
					if bits[n] != hit {
						wrong++
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return f.batchFigures(l, replies, hits, wrong)
}

func (f *faces) batchFigures(l he.Layout, replies, hits, wrong int) error {
	pairs := float64(replies * l.Pairs())
	f.result.BytesPerItem = float64(f.sent) / pairs
	if wrong > 0 {
		return fmt.Errorf("%d of %.0f decisions are wrong", wrong, pairs)
	}
	f.figure("wrong_decisions", float64(wrong))
	f.figure("hits", float64(hits))
	f.figure("decisions", pairs)
	f.figure("decisions_per_second", pairs/f.result.CPUSeconds)
	f.figure("total_bytes_per_decision", float64(f.sent)/pairs)
	f.figure("reply_bytes_per_comparison", float64(l.ReplySize())/float64(l.Pairs()))
	f.figure("batch_comparisons_per_second", pairs/(f.result.CPUSeconds-f.spent))
	return nil
}

// single asks one probe of a gallery, without the comparison.
func (f *faces) single(gallery int) error {
	r := mathrand.New(mathrand.NewPCG(3, 4))
	l := he.Layout{Dimension: faceDimension, Slots: 1, Split: 1}
	blocks := max(1, gallery/l.Templates())
	prepared := make([]*he.Gallery, min(blocks, preparedBlocks))
	probe := embeddings(r, 1, nil)
	if err := f.prepare("gallery", func() (err error) {
		for i := range prepared {
			if prepared[i], err = f.params.Gallery(l, embeddings(r, l.Templates(), probe)); err != nil {
				return err
			}
		}
		return f.ctx.Err()
	}); err != nil {
		return err
	}
	before := processorTime()
	a, o, err := f.asked("probe_", l, probe)
	if err != nil {
		return err
	}
	fixed := processorTime() - before
	if err := f.measure("probe_reply", func() error {
		for i := range blocks {
			replies, err := a.Replies(f.ctx, prepared[i%len(prepared)], rand.Reader)
			if err != nil {
				return err
			}
			if _, err := o.Open(replies[0].Ciphertext); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	f.figure("probe_fixed_seconds", fixed.Seconds())
	f.figure("probe_comparisons_per_second", float64(blocks*l.Templates())/(processorTime()-before).Seconds())
	f.figure("probe_query_bytes", float64((1+l.Ciphertexts())*he.CiphertextSize))
	return nil
}

func dot(a, b []int8) (sum int) {
	for i, x := range a {
		sum += int(x) * int(b[i])
	}
	return sum
}

// comparison is both sides of a comparison.
type comparison struct {
	sender  *compare.Sender
	chooser *compare.Chooser
}

func (f *faces) comparison() (c comparison, err error) {
	parameters := compare.Parameters{Threshold: faceThreshold, Learns: compare.ChooserLearns}
	_, _ = rand.Read(parameters.Session[:])
	err = f.compared(func() error {
		sender, request, err := compare.NewSender(parameters, rand.Reader)
		if err != nil {
			return err
		}
		chooser, reply, err := compare.NewChooser(parameters, request, rand.Reader)
		if err != nil {
			return err
		}
		f.sent += len(request) + len(reply)
		c = comparison{sender, chooser}
		return sender.Start(reply)
	})
	return c, err
}

// compared measures a part of the comparison, whose processor time is kept apart.
func (f *faces) compared(part func() error) error {
	before := f.result.CPUSeconds
	err := f.measure("compare", part)
	f.spent += f.result.CPUSeconds - before
	return err
}

// compare gives the bits of one reply's pairs.
func (c comparison) compare(f *faces, theirs, mine []uint16) (bits []bool, err error) {
	err = f.compared(func() error {
		chosen, columns, err := c.chooser.Open(mine)
		if err != nil {
			return err
		}
		sent, challenge, err := c.sender.Open(theirs, columns)
		if err != nil {
			return err
		}
		choices, err := chosen.Choose(challenge)
		if err != nil {
			return err
		}
		tables, err := sent.Tables(choices)
		if err != nil {
			return err
		}
		combining, err := chosen.Combine(tables)
		if err != nil {
			return err
		}
		last, err := sent.Combine(combining)
		if err != nil {
			return err
		}
		f.sent += len(columns) + len(challenge) + len(choices) + len(tables) + len(combining) + len(last)
		bits, _, err = chosen.Finish(last)
		return err
	})
	return bits, err
}
