// Package bench measures what the project publishes figures for, so that users can
// reproduce each of them with `entente bench NAME -o json`.
//
// Every bench runs the production code on invented data and fills the one Result that
// DESIGN section 12 describes. Preparing data is timed as a phase of its own but does
// not count into the totals. Processor time is that of the whole process, all parties
// of a protocol together; peak memory is the process's since its start, so a figure
// needs a process of its own.
//
// A new bench is one file with a function of type runner, and one line in benches.
// It promises no statistics: one run, one result; who publishes a figure runs it
// several times and names the machine.
package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"entente/crypto/dp"
	"entente/protocol/exact"
	"entente/simulations/measure"
)

// Params are a bench's whole-number settings by name; what is not set takes its default.
type Params map[string]int64

// Result is what one run measured.
type Result struct {
	Name         string             `json:"name"`
	Params       Params             `json:"params"` // as used, defaults included
	Kernel       string             `json:"kernel"` // arithmetic code that ran, "generic" where there is no choice
	CPUSeconds   float64            `json:"cpu_seconds"`
	WallSeconds  float64            `json:"wall_seconds"`
	BytesPerItem float64            `json:"bytes_per_item"` // sent in all directions; 0 where nothing is sent
	PeakRSSBytes int64              `json:"peak_rss_bytes"`
	Phases       map[string]float64 `json:"phases"` // wall seconds; those of preparation are not in the totals
	Figures      map[string]float64 `json:"figures"`
	Machine      string             `json:"machine"` // system, architecture, processors, Go version
}

// ErrUnknown is returned for a bench, or a setting of one, that does not exist.
var ErrUnknown = errors.New("unknown")

// runner runs one bench and reports through the meter.
type runner func(ctx context.Context, m *meter, p Params) error

type bench struct {
	name     string
	about    string
	defaults Params
	limits   Params // largest allowed value; the least is 1
	run      runner
}

// benches is the one list of what can be measured.
func benches() []bench {
	return []bench{
		{
			name: "intake", about: "phone rows from a CSV file to canonical, stored and readable",
			defaults: Params{"rows": 1_000_000}, limits: Params{"rows": maxPhones}, run: runIntake,
		},
		{
			name: "group", about: "ristretto255 on one core: elements a second, beside circl's",
			defaults: Params{"n": 262_144}, limits: Params{"n": 1 << 26}, run: runGroup,
		},
		{
			name: "oprf", about: "one run of suite oprf in one direction, both parties in this process over a pipe",
			defaults: Params{"n": 10_000}, limits: Params{"n": exact.MaxItems}, run: runExact,
		},
		{
			name: "standing", about: "one tag period of a standing round: a list published, a batch of questions",
			defaults: Params{"held": 1_000_000, "new": 10_000}, limits: Params{"held": 13_000_000, "new": 1_000_000}, run: runStanding,
		},
		{
			name: "ledger", about: "five sequencers order entries and make them final; and, in virtual time, how long one takes",
			defaults: Params{"n": 10_000, "members": 45, "rtt": 150}, limits: Params{"n": 90_000, "members": 64, "rtt": 2_000}, run: runLedger,
		},
		{
			name: "faces", about: "vectors of 512 coordinates: a batch of probes with every decision checked, and one probe",
			defaults: Params{"probes": 4096, "templates": 2560, "gallery": 1 << 20},
			limits:   Params{"probes": 4096, "templates": 1 << 18, "gallery": 1 << 26}, run: runFaces,
		},
		{
			name: "names", about: "two lists of invented persons by keys and vectors, both parties in this process, every decision checked",
			defaults: Params{"n": frozenRecords}, limits: Params{"n": 100_000}, run: runNames,
		},
		{
			name: "tally", about: "corridors between places, counted by members of whom some hold the key, with noise (epsilon in thousandths)",
			defaults: Params{"members": 45, "holders": 7, "places": 190, "epsilon": 1000},
			limits:   Params{"members": 64, "holders": 64, "places": 443, "epsilon": dp.MaxEpsilonMilli}, run: runTally,
		},
	}
}

// Description says what a bench measures and what can be set.
type Description struct {
	Name     string
	About    string
	Defaults Params
}

// All lists the benches in a fixed order.
func All() []Description {
	var out []Description
	for _, b := range benches() {
		out = append(out, Description{Name: b.name, About: b.about, Defaults: maps.Clone(b.defaults)})
	}
	return out
}

// Names lists the benches with a sentence on each.
func Names() []string {
	var out []string
	for _, d := range All() {
		out = append(out, fmt.Sprintf("%s: %s (%s)", d.Name, d.About, d.Defaults))
	}
	return out
}

// String writes the settings as name=value, sorted.
func (p Params) String() string {
	parts := make([]string, 0, len(p))
	for _, k := range slices.Sorted(maps.Keys(p)) {
		parts = append(parts, fmt.Sprintf("%s=%d", k, p[k]))
	}
	return strings.Join(parts, " ")
}

// Run runs a bench. errors.Is ErrUnknown if there is none of that name or a setting is
// not one of its own. When the context ends it stops and removes its files.
func Run(ctx context.Context, name string, params Params) (Result, error) {
	i := slices.IndexFunc(benches(), func(b bench) bool { return b.name == name })
	if i < 0 {
		return Result{}, fmt.Errorf("bench %q: %w; known are %s", name, ErrUnknown, strings.Join(Names(), ", "))
	}
	b := benches()[i]
	p, err := b.complete(params)
	if err != nil {
		return Result{}, fmt.Errorf("bench %s: %w", name, err)
	}
	m := &meter{result: Result{
		Name: name, Params: p, Kernel: "generic", Phases: map[string]float64{}, Figures: map[string]float64{},
		Machine: measure.Machine(),
	}}
	if err := b.run(ctx, m, p); err != nil {
		return Result{}, fmt.Errorf("bench %s: %w", name, err)
	}
	m.result.PeakRSSBytes = peakMemory()
	return m.result, nil
}

// complete adds the defaults and checks the ranges.
func (b bench) complete(params Params) (Params, error) {
	p := maps.Clone(b.defaults)
	for _, k := range slices.Sorted(maps.Keys(params)) {
		if _, ok := p[k]; !ok {
			return nil, fmt.Errorf("setting %q: %w; it has %s", k, ErrUnknown, b.defaults)
		}
		if v := params[k]; v < 1 || v > b.limits[k] {
			return nil, fmt.Errorf("setting %s must be 1 to %d", k, b.limits[k])
		}
		p[k] = params[k]
	}
	return p, nil
}

// meter collects what a run measures. It is for one goroutine.
type meter struct {
	result Result
}

// prepare times a phase that does not count into the totals.
func (m *meter) prepare(name string, f func() error) error {
	start := time.Now()
	err := f()
	m.result.Phases[name] += time.Since(start).Seconds()
	return err
}

// measure times a phase and adds it to the totals.
func (m *meter) measure(name string, f func() error) error {
	cpu := processorTime()
	before := m.result.Phases[name]
	err := m.prepare(name, f)
	m.result.CPUSeconds += (processorTime() - cpu).Seconds()
	m.result.WallSeconds += m.result.Phases[name] - before
	return err
}

// figure sets one of the figures that DESIGN section 12 names.
func (m *meter) figure(name string, value float64) { m.result.Figures[name] = value }
