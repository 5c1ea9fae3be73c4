package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"entente/protocol/entry"
	"entente/protocol/replay"
)

// virtualVariable makes a process measure in virtual time, and nothing else: see Virtual.
const virtualVariable = "ENTENTE_BENCH_VIRTUAL"

// virtualTask is what a child process is asked for, and what it answers.
type virtualTask struct {
	Members int             `json:"members"`
	Trip    time.Duration   `json:"trip"`  // there and back
	Times   []time.Duration `json:"times"` // until single entries were final at their authors
}

// virtualFinality measures in a child process how long a single entry takes until its author
// knows that it is final, and returns the median. Virtual time needs a bubble of
// testing/synctest, which only a test has; a child runs one and keeps panics to itself.
func virtualFinality(ctx context.Context, members int, trip time.Duration) (time.Duration, error) {
	program, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("measure in virtual time: %w", err)
	}
	task, err := json.Marshal(virtualTask{Members: members, Trip: trip})
	if err != nil {
		return 0, err
	}
	c := exec.CommandContext(ctx, program)
	c.Env = append(os.Environ(), virtualVariable+"="+string(task))
	var out, said bytes.Buffer
	c.Stdout, c.Stderr = &out, &said
	if err := c.Run(); err != nil {
		return 0, fmt.Errorf("measure in virtual time: %w: %s", err, bytes.TrimSpace(said.Bytes()))
	}
	var done virtualTask
	if err := json.NewDecoder(&out).Decode(&done); err != nil || len(done.Times) == 0 {
		return 0, fmt.Errorf("measure in virtual time: the child answered %q: %w", out.Bytes(), err)
	}
	slices.Sort(done.Times)
	return done.Times[len(done.Times)/2], nil
}

// Virtual does what a process was started for by a bench, and then ends it; it returns at
// once in a process that a person started. A program that offers benches calls it first.
func Virtual() {
	asked, child := os.LookupEnv(virtualVariable)
	if !child {
		return
	}
	var task virtualTask
	err := json.Unmarshal([]byte(asked), &task)
	if err == nil {
		os.Args = os.Args[:1] // the testing package reads flags
		testing.Main(func(_, _ string) (bool, error) { return true, nil }, []testing.InternalTest{{
			Name: "virtual", F: func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					if err := task.run(t.Context(), t.TempDir()); err != nil {
						t.Error(err)
						return
					}
					if err := json.NewEncoder(os.Stdout).Encode(task); err != nil {
						t.Error(err)
					}
				})
			},
		}}, nil, nil) // ends the process
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// virtualEntries is how many single entries are measured, each by another member.
const virtualEntries = 21

func (v *virtualTask) run(ctx context.Context, dir string) (err error) {
	// A bubble begins in the year 2000, before any entry may be written.
	ahead := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
	f, err := foundLedgers(ctx, dir, v.Members, ledgerSequencers, v.Trip/2, func() time.Time { return time.Now().Add(ahead) })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	if err := f.settle(ctx, 10*time.Minute); err != nil {
		return err
	}
	<-time.After(2 * time.Minute) // whatever the beginning left under way
	for i := range virtualEntries {
		m := f.members[i*7%len(f.members)]
		if err := m.chain.hold(entry.SealedDigest, i); err != nil {
			return err
		}
		begun := time.Now()
		m.chain.release()
		for final := false; !final; {
			changed := m.service.Mirror().Changed()
			m.service.Mirror().FinalState(func(s *replay.State) { final = s.Head(m.id).Digest == m.chain.head().Digest })
			if final {
				break
			}
			select {
			case <-changed:
			case <-time.After(5 * time.Minute):
				return errors.New("an entry is not final after five minutes")
			}
		}
		v.Times = append(v.Times, time.Since(begun))
		<-time.After(10 * time.Second)
	}
	return nil
}
