package adversary

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"entente/protocol/standing"
	"entente/protocol/wire"
	"entente/simulations/measure"
)

// duel is one feed in which A asks and B holds, over pipes, by the clock of the scenario.
type duel struct {
	asker, holder standing.Session
	a             *guesser
	b             *books
	now           time.Time
	bytes         uint64
}

func newDuel(p *plan, b *holder) (*duel, error) {
	key, err := p.signingKey("A")
	if err != nil {
		return nil, err
	}
	d := &duel{a: &guesser{plan: p, named: map[int]bool{}}, now: began()}
	clock := func() time.Time { return d.now }
	d.b = newBooks(b.current, clock)
	d.asker, d.holder = b.current.session, b.current.session
	d.asker.Asker, d.asker.Key, d.asker.PeerKey, d.asker.Now = true, key, b.key.Public(), clock
	d.holder.PeerKey, d.holder.Now = key.Public(), clock
	return d, nil
}

// sync runs one sync with the code of nodes and returns the number with which B refused, 0
// if it did not. An error is what neither side should have met.
func (d *duel) sync(ctx context.Context, c conduct) (int, error) {
	d.a.conduct = c
	x, y := net.Pipe()
	var peer sync.WaitGroup
	var held error
	peer.Go(func() {
		_, held = standing.Hold(ctx, y, d.holder, d.b, d.b, d.b)
		held = errors.Join(held, y.Close())
	})
	sum, asked := standing.Ask(ctx, x, d.asker, d.a, d.a)
	asked = errors.Join(asked, x.Close())
	peer.Wait()
	d.bytes += sum.Sent + sum.Got
	refusal := (*wire.PeerError)(nil)
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case errors.As(asked, &refusal):
		return int(refusal.Code), nil
	case c == broken && errors.Is(asked, errBroken):
		return 0, nil
	}
	return 0, errors.Join(asked, held)
}

// oldNumber lets A lose an answer and then ask something else under the number of the
// chunk, which is charged already. It returns B's number for that.
func (d *duel) oldNumber(ctx context.Context) (int, error) {
	if _, err := d.sync(ctx, broken); err != nil {
		return 0, err
	}
	return d.sync(ctx, other)
}

// sweepQuestions lets A put guesses into counted questions for a whole tag period.
func sweepQuestions(ctx context.Context, p *plan, b *holder, told Progress, r *Report) error {
	d, err := newDuel(p, b)
	if err != nil {
		return fmt.Errorf("sweep by questions: %w", err)
	}
	most := min(p.Quota, p.Guesses)
	d.a.told = func(places int) { told("counted questions", places, most) }
	q := Questions{PeriodDays: periodDays, PlanPeriods: (p.Guesses + p.Quota - 1) / p.Quota}
	q.PlanDays = q.PlanPeriods * periodDays
	watch := measure.Start()
	if err := d.period(ctx, &q); err != nil {
		return fmt.Errorf("sweep by questions: %w", err)
	}
	r.Measured.Questions = QuestionsCost{Span: watch.Span(), Bytes: d.bytes}
	q.Outcome = p.outcome(d.a.asked, d.a.named, int(d.b.account.Used))
	q.Refused = int(d.b.account.Refused)
	r.Results.Questions = q
	return nil
}

// period is one tag period with syncs every day. On the first one A also tries to have more
// evaluated under a number that is charged already, and uses the quota up; on every day it
// tries to go over it.
func (d *duel) period(ctx context.Context, q *Questions) (err error) {
	if q.OldNumber, err = d.oldNumber(ctx); err != nil {
		return fmt.Errorf("ask under an old number: %w", err)
	}
	if _, err = d.sync(ctx, within); err != nil {
		return fmt.Errorf("use the quota up: %w", err)
	}
	for n := range periodDays {
		d.now = began().Add(time.Duration(n) * day)
		code, err := d.sync(ctx, over)
		if err != nil {
			return fmt.Errorf("ask over the quota on day %d: %w", n+1, err)
		}
		q.OverQuota = max(q.OverQuota, code)
		q.Days = append(q.Days, Day{Day: n + 1, Used: int(d.b.account.Used), Refused: int(d.b.account.Refused)})
	}
	return nil
}
