// Package demo tells the main job as a story on one machine: three nodes with
// invented data find what two of them share, a third refuses, and an auditor checks
// what was done.
//
// The nodes are the production code over real loopback connections; only the data are
// invented, from numbers that regulators set aside for film and fiction and from the
// specimen state of ICAO Doc 9303. The story knows its truth beforehand and checks
// every figure that it shows against it, so that a run that ends well is a test of the
// whole, and one that does not says where it differs. What an attack brings is quoted from
// a record (sweep.go), since attackers must not be linked here.
//
// It proves nothing about matching in general (protocol/exact does, with its tests)
// and measures no speed (simulations/bench does). The nodes that it leaves behind are
// for trying commands; their keys lie beside them in the clear.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"entente/node/rounds"
)

// Errors on which a caller branches.
var (
	// ErrDiffers says that the story did not end as its truth says.
	ErrDiffers = errors.New("the demonstration did not end as it must; the document says where")
	// ErrOccupied says that the directory to keep the nodes in holds something.
	ErrOccupied = errors.New("the directory for the demonstration is not empty; name a new one")
)

// Notice stands on the first screen and in the document.
const Notice = "For trial data only: in this version a partner who guesses numbers can test the guesses, up to a daily limit. " +
	"Never load real records."

// Options say where the nodes live and who watches. The zero value is silent and
// leaves nothing behind.
type Options struct {
	Dir    string    // keeps the nodes; must be empty or new. Empty: a temporary directory, removed at the end
	Screen io.Writer // the story for people; nil for none
}

// Run tells the story and returns what happened. The document is as complete as the
// story came; errors.Is ErrDiffers or ErrOccupied.
func Run(ctx context.Context, o Options) (Document, error) { return tell(ctx, o, theTruth()) }

// story is one telling.
type story struct {
	o        Options
	truth    truth
	base     string // holds one folder for each node
	doc      Document
	screen   *screen
	stage    *stage
	recorder *recorder
	began    time.Time
	round    rounds.View // of the main round, from AU's side
	hunt     *hunt       // for all listed values and the control value
	values   int         // how many are listed; the control value's index
}

// act is one step of the story.
type act struct {
	title string
	play  func(context.Context) error
}

func (s *story) acts() []act {
	return []act{
		{"Three lists that stay where they are", s.lists},
		{"Australia reads in a messy file", s.intake},
		{"The plan: what a round would cost and reveal", s.plan},
		{"Indonesia's rules agree, and the round runs", s.match},
		{"The hits, each beside the own record only", s.hits},
		{"Two smaller questions", s.others},
		{"Names, in two scripts", s.names},
		{"What went over the line", s.line},
		{"A partner who guesses", s.guesses},
		{"Thailand says no", s.refusal},
		{"The record that all three keep", s.ledger},
		{"The auditor comes", s.audit},
		{"What to type next", s.next},
	}
}

func tell(ctx context.Context, o Options, t truth) (_ Document, err error) {
	s := &story{o: o, truth: t, screen: &screen{w: o.Screen}, recorder: &recorder{}, began: time.Now()}
	s.doc = Document{Notice: Notice, Rounds: []Round{}, Steps: []Step{}}
	base, remove, err := place(o.Dir)
	if err != nil {
		return s.doc, err
	}
	s.base = base
	s.stage = &stage{base: base, tap: s.recorder.tap}
	defer func() {
		err = errors.Join(err, s.stage.close(), remove())
		s.doc.Verified = s.doc.Verified && err == nil
	}()
	s.opening()
	for i, a := range s.acts() {
		s.doc.Steps = append(s.doc.Steps, Step{Number: i + 1, Title: a.title, Checks: []Check{}})
		s.screen.heading(i+1, len(s.acts()), a.title)
		if err := a.play(ctx); err != nil {
			return s.doc, fmt.Errorf("step %d, %s: %w", i+1, a.title, err)
		}
	}
	s.doc.finish()
	s.ending()
	switch {
	case s.screen.err != nil:
		return s.doc, fmt.Errorf("write the story: %w", s.screen.err)
	case !s.doc.Verified:
		return s.doc, ErrDiffers
	}
	return s.doc, nil
}

// place makes the directory of the nodes and says how it is taken away.
func place(dir string) (base string, remove func() error, err error) {
	if dir == "" {
		base, err = os.MkdirTemp("", "entente-demo-")
		if err != nil {
			return "", nil, fmt.Errorf("make a directory for the nodes: %w", err)
		}
		return base, func() error { return os.RemoveAll(base) }, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, fmt.Errorf("make a directory for the nodes: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", nil, fmt.Errorf("make a directory for the nodes: %w", err)
	}
	if len(entries) > 0 {
		return "", nil, ErrOccupied
	}
	return filepath.Clean(dir), func() error { return nil }, nil
}
