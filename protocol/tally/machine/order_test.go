package machine

import (
	"errors"
	"testing"

	"entente/crypto/he/collective"
	"entente/protocol/tally"
	"entente/protocol/wire"
)

// told is one message of a tally that went well, and to or from whom it was.
type told struct {
	member  string
	message tally.Message
}

// recorded runs a tally and keeps all that was said: to members, and to the collector. Records
// are those of member 1, and of the collector, after each of their messages.
func recorded(t *testing.T) (r *rig, toMembers, toCollector []told, members, collectors [][]byte) {
	t.Helper()
	r = newRig(t, proposal(corridors(2), 3, 3, 3))
	r.random(14, 50)
	keep := func() {
		b, err := r.collector.Record()
		if err != nil {
			t.Fatal(err)
		}
		collectors = append(collectors, b)
		if m := r.members[name(1)]; m != nil {
			if b, err = m.Record(); err != nil {
				t.Fatal(err)
			}
			members = append(members, b)
		}
	}
	say := func(from string, replies []tally.Message) {
		for _, reply := range replies {
			toCollector = append(toCollector, told{from, reply})
			if err := r.collector.Step(from, reply, r.now); err != nil {
				t.Fatal(err)
			}
			keep()
		}
	}
	for range 6 {
		for _, n := range r.names {
			for m, err := range r.collector.Pending(n) {
				if err != nil {
					t.Fatal(err)
				}
				toMembers = append(toMembers, told{n, m})
				say(n, r.tell(t, n, m))
				keep()
			}
		}
		if r.collector.Stage() != Contributing || len(r.collector.Holding()) < 3 {
			continue
		}
		for _, n := range r.names {
			sent, err := r.members[n].Contribute(r.table(t, n), r.now)
			if err != nil {
				t.Fatal(err)
			}
			say(n, sent)
		}
		if err := r.collector.Open(r.names); err != nil {
			t.Fatal(err)
		}
	}
	if r.collector.Stage() != Done {
		t.Fatalf("the tally ends at %s", r.collector.Stage())
	}
	return r, toMembers, toCollector, members, collectors
}

// TestAnyOrder gives a member and a collector, at every point of a tally, true messages of this
// tally in any order, those to other members among them: nothing panics, and what is refused
// names a fault.
func TestAnyOrder(t *testing.T) {
	r, toMembers, toCollector, members, collectors := recorded(t)
	random, rounds := source(15), 150
	if testing.Short() {
		rounds = 20
	}
	for range rounds {
		m, err := LoadMember(members[random.IntN(len(members))], r.configs[name(1)])
		if err != nil {
			t.Fatal(err)
		}
		m.Journal = &memory{life: collective.Life{1}, entries: map[[32]byte]collective.Entry{}}
		at := random.IntN(len(toMembers))
		for range 25 {
			if random.IntN(3) == 0 { // mostly one after the other
				at = random.IntN(len(toMembers))
			}
			_, err := m.Step(toMembers[at].message, r.now)
			at = (at + 1) % len(toMembers)
			var broke *wire.ProtocolError
			if err != nil && !errors.As(err, &broke) && !errors.Is(err, ErrState) && !errors.Is(err, collective.ErrLost) {
				t.Fatalf("message %d: %v", toMembers[at].message.Kind, err)
			}
		}
	}
	for range rounds {
		k, err := LoadCollector(collectors[random.IntN(len(collectors))], r.collectorConfig())
		if err != nil {
			t.Fatal(err)
		}
		at := random.IntN(len(toCollector))
		for range 25 {
			if random.IntN(3) == 0 {
				at = random.IntN(len(toCollector))
			}
			err := k.Step(toCollector[at].member, toCollector[at].message, r.now)
			at = (at + 1) % len(toCollector)
			var broke *wire.ProtocolError
			if err != nil && !errors.As(err, &broke) {
				t.Fatalf("message %d: %v", toCollector[at].message.Kind, err)
			}
		}
	}
}
