package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"entente/protocol/indicator"
	"entente/protocol/person"
)

const (
	jobRows   = 512       // rows of one unit of work
	jobBytes  = 256 << 10 // text after which a unit of work ends early
	jobsAhead = 48        // units read and parsed while the sink writes
	sinkRows  = 4096      // records given to the sink at once
)

// Import reads a list and hands its records to the sink in file order. name is what
// errors and the report call the file, size its length in bytes if known.
//
// A *FileError says why the file was refused. With FaultAllRejected the report is
// complete; with any other error it is not, and the sink is to be rolled back. When
// the context ends, Import stops handing out records and returns its error as soon as
// the pending Read has returned; a source with SetReadDeadline, such as a pipe, is
// interrupted. No goroutine is left behind.
func Import(ctx context.Context, name string, r io.Reader, size int64, o Options, sink Sink) (Report, error) {
	c := newCollector(name, size, o, sink)
	err := run(ctx, r, o, c)
	if e, ok := errors.AsType[*FileError](err); ok {
		e.File = name
		return c.report, e
	}
	if err != nil {
		return c.report, fmt.Errorf("import %s: %w", name, err)
	}
	return c.report, nil
}

func run(ctx context.Context, src io.Reader, o Options, c *collector) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	defer interruptible(ctx, src)()
	r := newReader(src)
	in, l, blank, err := openRows(r, o)
	if err != nil {
		return firstOf(ctx, err)
	}
	c.begin(l, blank)
	if err := stream(ctx, in, &converter{o: o, l: l}, c); err != nil {
		return firstOf(ctx, err)
	}
	return c.finish(ctx)
}

// firstOf prefers the context's error: a source that was interrupted because of it
// fails with an error of its own.
func firstOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// interruptible makes the end of the context end a pending Read, where the source can.
func interruptible(ctx context.Context, src io.Reader) (release func()) {
	d, ok := src.(interface{ SetReadDeadline(time.Time) error })
	if !ok {
		return func() {}
	}
	stop := context.AfterFunc(ctx, func() { _ = d.SetReadDeadline(time.Unix(1, 0)) })
	return func() { stop() }
}

func (o Options) check() error {
	if _, err := indicator.ParseKind(string(o.Kind)); err != nil {
		return &FileError{Fault: FaultOptions, Text: "the kind of the list", Err: err}
	}
	if err := o.Handling.Validate(); err != nil {
		return &FileError{Fault: FaultOptions, Text: "the handling data for the whole file", Err: err}
	}
	if _, _, err := indicator.Parse(o.Kind, "5550123", o.Defaults); o.Kind == indicator.Phone && isReason(err, indicator.ReasonUnknownCountry) {
		return &FileError{Fault: FaultOptions, Text: "the default country is not an ISO 3166-1 code of two letters, such as AU"}
	}
	if _, _, err := indicator.ParseFace(o.Defaults.Model, nil); o.Kind == indicator.Face && isReason(err, indicator.ReasonModel) {
		return &FileError{Fault: FaultOptions, Text: "the default model", Err: err}
	}
	if !slices.Contains(person.Calendars(), o.Defaults.Calendar) {
		return &FileError{Fault: FaultOptions, Text: "the calendar is buddhist, persian or hijri, or not given"}
	}
	if !slices.Contains(person.Orders(), o.Defaults.Order) {
		return &FileError{Fault: FaultOptions, Text: "the order of day and month is day_first or month_first, or not given"}
	}
	if o.Comma != 0 && (o.Comma > 127 || !strings.ContainsRune(separators, o.Comma)) {
		return &FileError{Fault: FaultOptions, Text: "the separator must be a comma, a semicolon or a tab"}
	}
	return nil
}

func isReason(err error, reason indicator.Reason) bool {
	r, ok := errors.AsType[*indicator.Rejection](err)
	return ok && r.Reason == reason
}

// job is one unit of work: rows in, outcomes out, in the same order.
type job struct {
	rows     []rawRow
	blank    int
	consumed int64 // bytes of the file up to the last row
	outcomes []outcome
	done     chan struct{} // closed when outcomes are complete
}

// stream reads, converts and collects at the same time. One goroutine reads, some
// convert; the calling one collects in file order. All have ended when it returns.
func stream(ctx context.Context, in rows, conv *converter, c *collector) error {
	ctx, cancel := context.WithCancel(ctx)
	workers := conv.o.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	jobs, order := make(chan *job), make(chan *job, jobsAhead)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	for range workers {
		all.Go(func() {
			for j := range jobs {
				j.outcomes = make([]outcome, len(j.rows))
				for i := range j.rows {
					j.outcomes[i] = conv.convert(&j.rows[i])
				}
				close(j.done)
			}
		})
	}
	var readErr error
	all.Go(func() {
		defer close(order)
		defer close(jobs)
		readErr = feed(ctx, in, order, jobs)
	})
	for j := range order {
		select {
		case <-j.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := c.take(ctx, j); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return readErr
}

// feed cuts the rest of the file into jobs. Each goes to the collector's queue first,
// which bounds how many there are.
func feed(ctx context.Context, in rows, order, jobs chan<- *job) error {
	for end := false; !end; {
		j := &job{rows: make([]rawRow, 0, jobRows), done: make(chan struct{})}
		from := in.passed()
		for len(j.rows) < jobRows && in.passed()-from < jobBytes && !end {
			var w rawRow
			switch blank, err := in.next(&w); {
			case errors.Is(err, io.EOF):
				end = true
			case err != nil:
				return err
			case blank:
				j.blank++
			default:
				j.rows = append(j.rows, w)
			}
		}
		j.consumed = in.passed()
		for _, queue := range []chan<- *job{order, jobs} {
			select {
			case queue <- j:
			case <-ctx.Done():
				return nil
			}
		}
	}
	return nil
}
