package node_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"entente/node/metrics"
	"entente/node/rounds"
	"entente/protocol/indicator"
)

// watched serves a node's metrics and returns what reads them, as name and labels to value.
func watched(t *testing.T, m *member) func() map[string]float64 {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	l, err := metrics.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log, ended := slog.New(slog.DiscardHandler), make(chan error, 1)
	go func() { ended <- metrics.Serve(ctx, l, metrics.Handler(m, log), log) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return func() map[string]float64 {
		t.Helper()
		r, err := http.Get("http://" + l.Addr().String() + metrics.Path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Body.Close() }()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]float64{}
		for line := range strings.Lines(string(body)) {
			if strings.HasPrefix(line, "#") {
				continue
			}
			name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			if out[name], err = strconv.ParseFloat(value, 64); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
		return out
	}
}

// TestMetricsTellNothingOfHits compares what a round without hits and one with them change.
func TestMetricsTellNothingOfHits(t *testing.T) {
	members := foundWith(t, []string{"AU", "ID"}, pilot, "AU", "ID")
	au, id := members["AU"], members["ID"]
	read := watched(t, au)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	settled := func() map[string]float64 {
		for {
			v := read()
			if v["entente_ledger_own_unfinal_entries"] == 0 && v["entente_ledger_final_entries"] > 0 {
				return v
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				t.Fatalf("not final: %v", v)
			}
		}
	}
	au.list(t, "wanted", indicator.Suspect, "0491570156", "0491570157", "0491570158", "0491570159")
	id.list(t, "watch", indicator.Suspect, "+61 491 570 110")
	before := settled()
	for name, want := range map[string]float64{
		"entente_partners": 1, "entente_partners_connected": 1, "entente_ledger_members": 2, "entente_ledger_quorum": 2,
		"entente_ledger_sequences": 1, "entente_ledger_leader_known": 1, "entente_rounds_held_back": 0, "entente_ledger_alarms": 0,
		`entente_ledger_cosigned{member="ID"}`: 1, `entente_rounds{state="done"}`: 0, `entente_standing_rounds{state="active"}`: 0,
		`entente_standing_rounds{state="paused"}`: 0, `entente_connections_refused_total{reason="stranger"}`: 0,
		`entente_build_info{version="test"}`: 1, `entente_part_readable{part="ledger"}`: 1,
	} {
		if got, ok := before[name]; !ok || got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	before = change(ctx, t, au, 0, before, settled)
	id.list(t, "watch2", indicator.Suspect, "+61491570159", "+61-491-570-156", "0061491570157")
	change(ctx, t, au, 3, before, settled)
}

// moves are the metrics that change with time or with the ledger, whatever a round finds.
var moves = regexp.MustCompile(`^entente_(ledger_.*|disk_free_bytes)$`)

// change runs a round with so many hits, which must count as one that is done and show in
// nothing else.
func change(ctx context.Context, t *testing.T, au *member, hits int, before map[string]float64, read func() map[string]float64) map[string]float64 {
	t.Helper()
	v, err := au.Rounds().Propose(ctx, rounds.Request{
		Partner: "ID", List: "wanted", Kind: "phone", Purpose: "trafficking", Learn: "both", Result: "which",
	})
	if err != nil {
		t.Fatal(err)
	}
	if v, err = au.Rounds().Wait(ctx, v.ID); err != nil || v.State != "done" || v.Hits == nil || *v.Hits != hits {
		t.Fatalf("%+v, %v", v, err)
	}
	after := read()
	if len(after) < len(before) {
		t.Errorf("%d metrics, before %d", len(after), len(before))
	}
	for name, value := range after {
		want, ok := before[name]
		if name == `entente_rounds{state="done"}` {
			want++
		}
		if moves.MatchString(name) {
			continue
		}
		if !ok || value != want {
			t.Errorf("%d hits: %s is %v, want %v", hits, name, value, want)
		}
	}
	return after
}
