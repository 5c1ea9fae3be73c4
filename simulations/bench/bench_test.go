package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entente/node/intake"
	"entente/protocol/indicator"
	"entente/simulations/matching"
)

// A small run of each bench fills the whole result, with the names that DESIGN section
// 12 fixes.
func TestRunIntake(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	r, err := Run(t.Context(), "intake", Params{"rows": 3000})
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"name", "params", "kernel", "cpu_seconds", "wall_seconds", "bytes_per_item", "peak_rss_bytes", "phases", "figures"} {
		if _, ok := fields[name]; !ok {
			t.Errorf("no %s in %s", name, b)
		}
	}
	if r.Params["rows"] != 3000 || r.Figures["rows_ready"] != 3000 || r.Figures["rows_per_second"] <= 0 {
		t.Errorf("%s", b)
	}
	if r.CPUSeconds <= 0 || r.WallSeconds <= 0 || r.PeakRSSBytes < 1<<20 || r.Kernel == "" {
		t.Errorf("%s", b)
	}
	if sum := r.Phases["import"] + r.Phases["commit"] + r.Phases["read"]; r.WallSeconds < sum*0.999 || r.WallSeconds > sum*1.001 || r.Phases["generate"] <= 0 {
		t.Errorf("phases do not add up: %s", b)
	}
	left, err := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestRunFaces(t *testing.T) {
	r, err := Run(t.Context(), "faces", Params{"probes": 100, "templates": 65, "gallery": 8192})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"probe_comparisons_per_second", "batch_comparisons_per_second", "reply_bytes_per_comparison", "decisions_per_second", "total_bytes_per_decision", "hits"} {
		if r.Figures[name] <= 0 {
			t.Errorf("%s is %v", name, r.Figures[name])
		}
	}
	if wrong, ok := r.Figures["wrong_decisions"]; !ok || wrong != 0 || r.Figures["decisions"] != 65*4096 {
		t.Errorf("%v", r.Figures)
	}
}

func TestRunRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		bench   string
		params  Params
		unknown bool
		say     string
	}{
		"bench":   {"inatke", nil, true, "known are intake: "},
		"setting": {"intake", Params{"row": 5}, true, "it has rows=1000000"},
		"none":    {"intake", Params{"rows": 0}, false, "1 to"},
		"many":    {"intake", Params{"rows": maxPhones + 1}, false, "1 to"},
	} {
		_, err := Run(t.Context(), c.bench, c.params)
		if err == nil || errors.Is(err, ErrUnknown) != c.unknown || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRunCancelled(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, "intake", Params{"rows": 10}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestEachBenchIsComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, b := range benches() {
		if seen[b.name] || b.about == "" || b.run == nil {
			t.Errorf("%s is twice there or incomplete", b.name)
		}
		seen[b.name] = true
		for k, v := range b.defaults {
			if v < 1 || v > b.limits[k] {
				t.Errorf("%s: default of %s is out of range", b.name, k)
			}
		}
		if len(b.limits) != len(b.defaults) {
			t.Errorf("%s: limits and defaults differ", b.name)
		}
	}
	if len(Names()) != len(seen) {
		t.Errorf("names: %v", Names())
	}
}

// Only what is measured counts into the totals.
func TestMeter(t *testing.T) {
	m := &meter{result: Result{Phases: map[string]float64{}, Figures: map[string]float64{}}}
	broken := errors.New("broken")
	if err := m.prepare("p", func() error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if m.result.WallSeconds != 0 || m.result.CPUSeconds != 0 || m.result.Phases["p"] <= 0 {
		t.Errorf("after preparing: %+v", m.result)
	}
	for range 2 {
		if err := m.measure("m", func() error { burn(); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if d := m.result.WallSeconds - m.result.Phases["m"]; d > 1e-9 || d < -1e-9 || m.result.CPUSeconds < 0.01 {
		t.Errorf("after measuring: %+v", m.result)
	}
	m.figure("f", 2)
	if m.result.Figures["f"] != 2 {
		t.Errorf("figures: %v", m.result.Figures)
	}
}

// burn uses the processor for about ten milliseconds.
func burn() {
	for start := processorTime(); processorTime()-start < 10*time.Millisecond; {
		continue
	}
}

// The invented numbers are all different, all of the exchange 555, and every notation
// reads as the number that it writes.
func TestPhones(t *testing.T) {
	const n = 25_000 // more than two areas
	var b bytes.Buffer
	if err := writePhones(&b, n); err != nil {
		t.Fatal(err)
	}
	o := intake.Options{Kind: indicator.Phone, Handling: indicator.Handling{Category: indicator.Suspect}, Defaults: indicator.Defaults{Country: "US"}}
	r, err := intake.Import(t.Context(), "phones.csv", &b, int64(b.Len()), o, nil)
	if err != nil || r.Rows != n || r.Ready != n || len(r.Warnings) > 1 {
		t.Fatalf("%v, %v, %q", r, err, r.Warnings)
	}
	if plausible := r.Changes["plausible"]; plausible > 0 {
		t.Errorf("%d numbers do not have the form of assigned ranges", plausible)
	}
	for _, row := range r.Examples {
		if len(row.After) != len("+12125550123") || row.After[5:8] != "555" {
			t.Fatalf("%s became %s", row.Before, row.After)
		}
	}
}

func TestPhone(t *testing.T) {
	for i, want := range map[int64]string{0: "201 0", 1211: "201 1211", 1212: "201 1213", linesPerArea - 1: "201 9999", linesPerArea: "202 0", maxPhones - 1: "815 9999"} {
		area, line := phone(i)
		if got := fmt.Sprintf("%s %d", area, line); got != want {
			t.Errorf("phone %d is %s, want %s", i, got, want)
		}
	}
}

func TestStride(t *testing.T) {
	for _, n := range []int64{1, 2, 3, 10, 100, 999, 1000, 7919} {
		seen := make([]bool, n)
		for i, s := int64(0), stride(n); i < n; i++ {
			seen[i*s%n] = true
		}
		for i, ok := range seen {
			if !ok {
				t.Fatalf("n = %d misses %d", n, i)
			}
		}
	}
}

func TestPhonesToABrokenWriter(t *testing.T) {
	for _, n := range []int64{1, 200_000} { // at the end, and in the middle
		if err := writePhones(fullDisk{}, n); !errors.Is(err, errFull) {
			t.Errorf("%d rows: %v", n, err)
		}
	}
}

var errFull = errors.New("disk full")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

// A small tally fills its figures, and no cell is wrong.
func TestRunTally(t *testing.T) {
	r, err := Run(t.Context(), "tally", Params{"members": 4, "holders": 5, "places": 20})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]float64{"wrong_cells": 0, "cells": 400, "threshold": 4} {
		if got, ok := r.Figures[name]; !ok || got != want {
			t.Errorf("%s is %v, not %v", name, got, want)
		}
	}
	sum := 0.0
	for name, value := range r.Figures {
		if strings.HasSuffix(name, "_cpu_seconds") {
			sum += value
		}
	}
	if sum < r.CPUSeconds*0.999 || sum > r.CPUSeconds*1.001 || r.BytesPerItem <= 0 {
		t.Errorf("the phases' processor time is %v of %v: %v", sum, r.CPUSeconds, r.Figures)
	}
	noisy, err := Run(t.Context(), "tally", Params{"members": 5, "holders": 4, "places": 10, "epsilon": 500})
	if err != nil || noisy.Figures["wrong_cells"] != 0 {
		t.Errorf("with noise %v cells are wrong: %v", noisy.Figures["wrong_cells"], err)
	}
	for name, p := range map[string]Params{"two members": {"members": 2}, "one holder": {"holders": 1}, "ε too small": {"members": 4, "places": 2, "epsilon": 9}} {
		if _, err := Run(t.Context(), "tally", p); err == nil {
			t.Errorf("%s count", name)
		}
	}
}

func TestRunNames(t *testing.T) {
	r, err := Run(t.Context(), "names", Params{"n": 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"candidate_recall", "f1", "precision", "recall", "decisions", "common_keys", "total_bytes", "expected_wrong_hits_per_10k"} {
		if r.Figures[name] <= 0 {
			t.Errorf("%s is %v", name, r.Figures[name])
		}
	}
	if wrong, ok := r.Figures["wrong_decisions"]; !ok || wrong != 0 {
		t.Errorf("%v", r.Figures)
	}
	if _, ok := r.Figures["cpu_seconds_20k"]; ok {
		t.Error("a figure of 20,000 records comes from fewer")
	}
}

func TestDifferences(t *testing.T) {
	a := []matching.Match{{A: 1, B: 1}, {A: 1, B: 3}, {A: 2, B: 1}}
	for _, c := range []struct {
		b    []matching.Match
		want int
	}{
		{a, 0}, {nil, 3}, {a[1:], 1}, {a[:2], 1},
		{[]matching.Match{{A: 1, B: 1}, {A: 1, B: 2}, {A: 2, B: 1}}, 2},
		{[]matching.Match{{A: 3, B: 3}}, 4},
	} {
		if got := differences(a, c.b); got != c.want {
			t.Errorf("%v: %d, not %d", c.b, got, c.want)
		}
		if got := differences(c.b, a); got != c.want {
			t.Errorf("%v, the other way: %d, not %d", c.b, got, c.want)
		}
	}
}
