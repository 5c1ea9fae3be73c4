package standing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"entente/node/rounds"
	"entente/node/store"
	"entente/protocol/entry"
	"entente/protocol/round"
	"entente/protocol/standing"
	"entente/protocol/wire"
)

// talk is one stream about one subscription, on either side.
type talk struct {
	s       *Service
	stream  rounds.Stream
	bytes   *rounds.Counted
	conn    *wire.Conn
	f       *file
	own     bool        // this side opened it
	opening *time.Timer // a partner's stream ends unless a sync begins before
	work    work
}

// work is what one sync is to do, and what it did.
type work struct {
	due    bool     // a cadence has come on this side
	checks []*check // urgent ones
	begun  bool     // the feeds were
	ran    bool     // both sides said that they are through
	note   string   // for the focal point, if it ran
}

func newTalk(s *Service, stream rounds.Stream) *talk {
	t := &talk{s: s, stream: stream, bytes: rounds.Count(stream, s.o.Tap)}
	t.conn = wire.NewConn(t.bytes)
	return t
}

// hello greets and checks the greeting of the other side. Both send first.
func (t *talk) hello() error {
	_, _, digest, err := t.s.partner(t.stream.Member()) // the channel also admits members that are suspended
	if err != nil {
		return err
	}
	own := round.Hello{Version: standing.Version, Roster: digest[:], Clock: now().UnixMilli()}
	if err := t.write(round.Message{Kind: standing.KindHello, Body: own}); err != nil {
		return fmt.Errorf("greet partner: %w", err)
	}
	m, err := t.read()
	if err != nil {
		return err
	}
	theirs, ok := m.Body.(round.Hello)
	if !ok {
		return &wire.ProtocolError{Code: wire.Unexpected, Err: errors.New("a greeting was expected")}
	}
	return theirs.Check(digest, now().UnixMilli())
}

func (t *talk) read() (round.Message, error) { return standing.Read(t.conn) }
func (t *talk) write(m round.Message) error  { return standing.Write(t.conn, m) }
func (t *talk) end(err error)                { rounds.Farewell(t.stream, t.conn, err) }
func (t *talk) step(m round.Message) (*round.Message, error) {
	return t.f.machine.Step(m, now().UnixMilli())
}

// save stores the subscription with what the stream has cost so far.
func (t *talk) save(ctx context.Context, also func(*store.Tx) error) error {
	return t.s.put(ctx, t.f, also)
}

// drive talks to the partner about one subscription: the agreement, then a sync if one is
// due. checks are urgent questions.
func (s *Service) drive(ctx context.Context, id standing.ID, checks []*check) error {
	f, err := s.find(ctx, id)
	if err != nil {
		return err
	}
	ctx, free, err := s.claim(ctx, f, asking)
	if err != nil {
		return err
	}
	defer free()
	if f, err = s.find(ctx, id); err != nil || f.machine.Stage().Over() {
		return err
	}
	w := work{due: f.machine.Stage() == standing.Active && !f.Next.After(now()), checks: checks}
	if f.machine.Stage() == standing.Active && !w.due && len(checks) == 0 {
		if gone, err := s.mustGo(ctx, f); err != nil || !gone {
			return err
		}
	}
	stream, err := s.o.Open(ctx, f.Partner)
	if err != nil {
		if len(checks) == 0 { // else the person's tries would put off all that is due
			s.later(id)
		}
		return err
	}
	stop := context.AfterFunc(ctx, stream.Reset)
	defer stop()
	t := newTalk(s, stream)
	t.f, t.own, t.work = f, true, w
	err = t.open(ctx)
	t.end(err)
	return s.settle(ctx, t, err)
}

// open is the opener's side of a stream.
func (t *talk) open(ctx context.Context) error {
	if err := t.hello(); err != nil {
		return err
	}
	for {
		m, ok := t.f.machine.Next()
		if !ok {
			break
		}
		done, err := t.exchange(ctx, m)
		if done || err != nil {
			return err
		}
	}
	if t.f.machine.Stage() != standing.Active {
		return nil
	}
	if m, ok := t.f.machine.Confirm(); ok && !t.f.Confirmed {
		if _, err := t.exchange(ctx, m); err != nil {
			return err
		}
		t.f.Confirmed = true
		if err := t.save(ctx, nil); err != nil {
			return err
		}
		t.work.due = true // the first run follows at once
	}
	if t.f.Paused || t.f.Stopped != "" {
		return nil
	}
	m, ok := t.f.machine.Sync()
	if !ok {
		return nil
	}
	if _, err := t.exchange(ctx, m); err != nil {
		return err
	}
	return t.sync(ctx)
}

// exchange sends a message and takes its answer. It reports whether the stream has nothing
// more to say.
func (t *talk) exchange(ctx context.Context, m round.Message) (done bool, err error) {
	if err := t.write(m); err != nil {
		return false, fmt.Errorf("%w: %w", rounds.ErrLink, err)
	}
	in, err := t.read()
	if err != nil {
		return false, err
	}
	before := t.f.machine.Stage()
	if _, err := t.step(in); err != nil {
		return false, err
	}
	switch after := t.f.machine.Stage(); {
	case after == standing.Active && before != after:
		return false, t.agreed(ctx)
	case after != before:
		return after == standing.Ended || after == standing.Waiting, t.save(ctx, nil)
	}
	_, pending := in.Body.(standing.Pending)
	return pending, nil
}

// agreed stores an agreement that both sides have signed and its sealed digest.
func (t *talk) agreed(ctx context.Context) error {
	agreement := t.f.machine.Agreement()
	t.f.Next, t.f.Note = now(), ""
	defer t.s.submitted()
	return t.save(ctx, func(tx *store.Tx) (err error) {
		t.f.Agreement, err = submit(tx, standing.AgreementLabel, agreement[:], time.Now())
		return err
	})
}

// submit publishes a sealed digest in the submitted chain and returns its opening.
func submit(tx *store.Tx, label string, content []byte, at time.Time) ([]byte, error) {
	opening, err := entry.Seal(label, content)
	if err != nil {
		return nil, err
	}
	body, err := opening.Entry()
	if err != nil {
		return nil, err
	}
	if err := tx.Append(entry.Submitted, entry.SealedDigest, body, at); err != nil {
		return nil, err
	}
	return opening.Marshal()
}

// sync goes through the feeds, if the own rules still allow it, and says Done.
func (t *talk) sync(ctx context.Context) error {
	if err := t.allowed(ctx); err != nil {
		return err
	}
	t.work.begun = true
	for _, number := range t.f.machine.Feeds() {
		x, err := t.s.feed(t.f, number)
		if err != nil {
			return err
		}
		if x.session.Asker {
			err = t.ask(ctx, x)
		} else {
			err = t.hold(ctx, x)
		}
		if err != nil {
			return err
		}
	}
	agreement := t.f.machine.Agreement()
	done := round.Message{Kind: standing.KindDone, Body: standing.Done{Agreement: agreement[:]}}
	if err := t.write(done); err != nil {
		return fmt.Errorf("%w: %w", rounds.ErrLink, err)
	}
	in, err := t.read()
	if err != nil {
		return err
	}
	if d, ok := in.Body.(standing.Done); !ok || string(d.Agreement) != string(agreement[:]) {
		return &wire.ProtocolError{Code: wire.Unexpected, Err: errors.New("the end of the sync was expected")}
	}
	t.work.ran = true
	return nil
}

// hold serves the feed in which the partner learns.
func (t *talk) hold(ctx context.Context, x *feed) error {
	h := x.shelf()
	err := h.update(ctx, t.work.due)
	switch {
	case errors.Is(err, errGrown):
		t.work.note = errGrown.Error()
	case damaged(err): // the own copy: everything is published anew, under a new key
		h = x.shelf()
		if err := t.s.o.Store.Update(ctx, h.renew); err != nil {
			return err
		}
		h.loaded = true
	case err != nil:
		return err
	}
	h.opening = ctx
	m := x.meter()
	_, err = standing.Hold(ctx, t.bytes, x.session, h, m, m)
	if damaged(err) {
		err = errors.Join(err, t.s.o.Store.Update(context.WithoutCancel(ctx), x.shelf().renew))
	}
	return err
}

// ask asks in the feed in which this side learns.
func (t *talk) ask(ctx context.Context, x *feed) error {
	a := x.asker()
	defer a.close()
	a.due = t.work.due
	for _, c := range t.work.checks {
		one := *c
		one.tried, one.made = one.tried || one.made, false // its chunk may still be under way
		a.checks = append(a.checks, one)
	}
	_, err := standing.Ask(ctx, t.bytes, x.session, a, a)
	for i := range a.checks {
		*t.work.checks[i] = a.checks[i]
	}
	if err != nil && damaged(err) {
		err = errors.Join(err, a.recover(context.WithoutCancel(ctx), err))
	}
	return err
}

// checked reads what urgent checks were answered.
func (s *Service) checked(ctx context.Context, f *file, checks []*check) error {
	for _, number := range f.machine.Feeds() {
		x, err := s.feed(f, number)
		if err != nil || !x.session.Asker {
			continue
		}
		a := x.asker()
		err = a.get(ctx)
		for _, c := range checks {
			if err == nil && c.done {
				c.hit, err = a.answerOf(ctx, *c)
				c.done = err == nil
			}
		}
		a.close()
		if err != nil && damaged(err) {
			err = a.recover(ctx, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// settle stores what a stream means for the subscription. It does nothing whose time depends
// on what was found: the partner sees when the next stream is served.
func (s *Service) settle(outer context.Context, t *talk, err error) error {
	ctx := context.WithoutCancel(outer) // what has arrived is kept, whoever ended the stream
	f := t.f
	sent, received := t.bytes.Bytes()
	f.Sent, f.Received = f.Sent+sent, f.Received+received
	if len(t.work.checks) > 0 && f.machine.Stage() == standing.Active {
		err = errors.Join(err, s.checked(ctx, f, t.work.checks))
	}
	if t.work.begun {
		defer s.matchSoon(f.ID)
	}
	if f.machine.Stage() == standing.Active {
		s.mu.Lock()
		s.synced[f.ID] = now()
		s.mu.Unlock()
	}
	paused := f.Note
	var also func(*store.Tx) error
	var broke *wire.ProtocolError
	var said *wire.PeerError
	var told *standing.Equivocation
	switch {
	case t.work.ran:
		s.reached(f.ID)
		f.Ran, f.Note = now().UnixMilli(), t.work.note
		if t.work.due {
			f.Next = s.next(f)
		}
	case err == nil:
		s.reached(f.ID)
		if f.machine.Stage() == standing.Waiting {
			f.Note = noteDecide
			if f.Proposer {
				f.Note = "a person at the partner has to decide"
				t.later()
			}
		}
	case errors.As(err, &broke) && broke.Code.Fault() == wire.Peer && broke.Code != wire.Quota:
		f.Stopped = fmt.Sprintf("%s broke the protocol: %s", f.Partner, broke.Code)
		if broke.Code == wire.BadProof {
			f.Stopped = fmt.Sprintf("%s answered with another key than it has signed", f.Partner)
		}
		if errors.As(err, &told) && len(f.Evidence) < maxEvidence {
			f.Evidence = append(f.Evidence, told.Signed)
		}
	case errors.Is(err, errGrown): // no tag period can begin: until a person acts there is none
		f.Paused, paused, also = true, errGrown.Error(), s.renewing(f)
	case errors.As(err, &said):
		t.heard(said.Code)
	default:
		t.later()
		if outer.Err() == nil {
			f.Note = noteOf(err)
		}
	}
	if f.Paused {
		f.Note = paused // what the partner hears or says meanwhile is not why it stands still
	}
	return errors.Join(err, s.put(ctx, f, also))
}

const noteDecide = "a person here has to decide"

// later puts off the next own try; a partner's stream that fails says nothing about it, and a
// person's check is tried often.
func (t *talk) later() {
	if t.own && len(t.work.checks) == 0 {
		t.s.later(t.f.ID)
	}
}

// heard notes what the partner says.
func (t *talk) heard(code wire.Code) {
	f := t.f
	f.Note = "the partner says: " + code.String()
	t.later()
	stage := f.machine.Stage()
	switch {
	case code == wire.NotAvailable && stage < standing.Active:
		f.machine.Finish(standing.Refused, code)
	case code == wire.Cancelled:
		f.machine.Finish(standing.Ended, code)
	case code == wire.UnknownRound && stage < standing.Active:
		f.machine.Finish(standing.Failed, code)
	case code == wire.Expired && stage == standing.Active:
		f.Note = "the tag period ended meanwhile; the next sync begins a new one"
	}
}

// noteOf says in plain words why a sync did not go through.
func noteOf(err error) string {
	var broke *wire.ProtocolError
	switch {
	case errors.Is(err, store.ErrFull):
		return "the disk is full; the standing round goes on when there is room"
	case errors.As(err, &broke):
		return "the two sides do not fit: " + broke.Code.String()
	}
	return "the partner could not be reached; it is tried again"
}

// transient tells whether an error may be gone at the next try.
func transient(err error) bool {
	var broke *wire.ProtocolError
	var said *wire.PeerError
	switch {
	case err == nil:
		return true // nothing was asked: somebody else's sync was at work
	case errors.As(err, &said):
		return saidBusy(err) || said.Code == wire.Expired
	case errors.As(err, &broke):
		return broke.Code == wire.Busy
	}
	return true
}

// saidBusy tells whether the partner turns this side away for now.
func saidBusy(err error) bool {
	var said *wire.PeerError
	return errors.As(err, &said) && said.Code == wire.Busy
}

// quotaUsed tells whether the partner refuses because its quota is used up.
func quotaUsed(err error) bool {
	var said *wire.PeerError
	return errors.As(err, &said) && said.Code == wire.Quota
}

// next is when the next run is due, spread by the subscription's identifier, so that a
// federation's runs do not all come at once. The responder expects it a little earlier,
// so that the proposer's sync is the one that finds both sides due.
func (s *Service) next(f *file) time.Time {
	cadence := time.Duration(f.machine.Answer().Limit.Cadence) * time.Second
	spread := min(cadence/16, 5*time.Minute)
	at := now().Add(cadence)
	if !f.machine.Proposer() {
		return at.Add(-2 * spread)
	}
	return at.Add(-spread * time.Duration(f.ID[0]) / 256)
}
