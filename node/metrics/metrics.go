// Package metrics lets Prometheus ask how a node does: the text format at /metrics, on a
// listener of its own.
//
// All values are read when they are asked for, in one registry for that answer. None is
// computed from an indicator, a list, a tag or a hit, none names a partner of a round, and
// none follows how much a round computes: for that reason Go's counters of memory and the
// process's of processor time are not among them, nor the size of the store. A member's id
// is a label only where the ledger shows every member the same.
//
// Whoever can reach the listener can read all of it. The package promises that readers,
// however many, cost no more than one, and that a slow one is cut; not that anything is kept
// from them.
package metrics

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"entente/node"
	"entente/node/ledger"
)

// Path is where the metrics are, and nothing else is.
const Path = "/metrics"

// readTime is how long it may take to read how the node does.
const readTime = 8 * time.Second

// roughly is to how many bytes free space is shown: what a round stores of its hits must not
// show in it.
const roughly = 256 << 20

// Source tells how a node does. *node.Node is one.
type Source interface {
	Vitals(ctx context.Context) node.Vitals
}

// Handler answers at Path with the metrics of a node that begins to serve now.
func Handler(source Source, log *slog.Logger) http.Handler {
	h := &handler{source: source, log: log, started: time.Now(), turn: make(chan struct{}, 1)}
	mux := http.NewServeMux()
	mux.Handle("GET "+Path, h)
	return mux
}

type handler struct {
	source  Source
	log     *slog.Logger
	started time.Time
	turn    chan struct{} // holds a token while an answer is made
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readTime)
	defer cancel()
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		http.Error(w, "others are being answered", http.StatusServiceUnavailable)
		return
	}
	s := sample{h.source.Vitals(ctx), h.started, time.Now()}
	for part, err := range s.Problems {
		if err != nil {
			h.log.Warn("part of the metrics could not be read", "part", part, "error", err) // the reader need not know why
		}
	}
	registry := prometheus.NewRegistry()
	if err := registry.Register(s); err != nil {
		h.log.Error("metrics", "error", err)
		http.Error(w, "the metrics cannot be shown", http.StatusInternalServerError)
		return
	}
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(h.log.Handler(), slog.LevelError),
	}).ServeHTTP(w, r)
}

// sample is how the node does at one time.
type sample struct {
	node.Vitals
	started, now time.Time
}

// Describe tells nothing beforehand: which metrics there are depends on the node, such as
// whether its federation keeps a ledger.
func (sample) Describe(chan<- *prometheus.Desc) {}

// Collect gives all metrics.
func (s sample) Collect(to chan<- prometheus.Metric) {
	p := page(to)
	p.gauge("build_info", "The program's version, as a label.", 1, "version", s.Version)
	p.gauge("start_time_seconds", "When the node began to serve, Unix time.", unix(s.started))
	for _, part := range slices.Sorted(maps.Keys(s.Problems)) {
		p.gauge("part_readable", "1 if this part of the metrics could be read; if not, it is missing and the log says why.",
			number(s.Problems[part] == nil), "part", part)
	}
	p.gauge("partners", "Partners that this node admits.", float64(s.Partners))
	p.gauge("partners_connected", "Of these, those with a connection now.", float64(s.Connected))
	for reason, n := range s.Refused {
		p.counter("connections_refused_total", "Connections turned away: of a stranger, in a flood, over an own limit, without a post-quantum key exchange.",
			float64(n), "reason", reason)
	}
	for state, n := range s.Rounds {
		p.gauge("rounds", "Single rounds by state.", float64(n), "state", state)
	}
	for state, n := range s.Standing {
		p.gauge("standing_rounds", "Standing rounds by state.", float64(n), "state", state)
	}
	if s.Problems["disk"] == nil {
		p.gauge("disk_free_bytes", "What the node may still use on its disk, rounded down to 256 MiB.", float64(s.Free/roughly*roughly))
	}
	if s.Ledger != nil {
		p.gauge("rounds_held_back", "1 if no new rounds begin, because own entries wait to become final for longer than ledger.patience.",
			number(s.HeldBack))
		s.ledger(p, s.Ledger)
	}
}

// ledger gives the metrics of the ledger.
func (s sample) ledger(p page, l *ledger.Standing) {
	p.gauge("ledger_entries", "Entries that this node holds.", float64(l.Entries))
	p.gauge("ledger_final_entries", "Of these, those that can never change.", float64(l.Final))
	if !l.Clock.IsZero() {
		p.gauge("ledger_clock_timestamp_seconds", "The ledger's own time, Unix time.", unix(l.Clock))
	}
	if !l.Since.IsZero() {
		p.gauge("ledger_own_final_timestamp_seconds", "When own entries last became final since the node began to serve, Unix time.", unix(l.Since))
	}
	if took, err := time.ParseDuration(l.Took); err == nil {
		p.gauge("ledger_time_to_finality_seconds", "How long own entries took until they were final, median of the last.", took.Seconds())
	}
	age := time.Duration(0)
	if l.Waiting > 0 {
		age = s.now.Sub(l.Oldest)
	}
	p.gauge("ledger_own_unfinal_entries", "Own entries that are not final.", float64(l.Waiting))
	p.gauge("ledger_own_unfinal_age_seconds", "How long the first of them has waited; 0 if there is none.", age.Seconds())
	p.gauge("ledger_leader_known", "1 if this node knows who leads the sequencers.", number(l.Leader != ""))
	p.gauge("ledger_quorum", "Members that must cosign.", float64(l.Quorum))
	p.gauge("ledger_members", "Members that have part in the ledger.", float64(len(l.Members)))
	p.gauge("ledger_alarms", "What this node found wrong since it began to serve: entente ledger status.", float64(len(l.Alarms)))
	p.gauge("ledger_remedies", "What there is to do for the operator: entente ledger status.", float64(len(l.Remedy)))
	sequences, behind, convicted, silence := false, 0, 0, time.Duration(0)
	for _, m := range l.Members {
		p.gauge("ledger_cosigned", "1 if the newest final checkpoint that this node keeps bears the member's signature; the quorum is enough.",
			number(m.Cosigned), "member", m.ID)
		sequences = sequences || m.ID == s.ID && m.Sequencer
		if m.Behind > 0 {
			behind++
		}
		if m.Convicted {
			convicted++
		}
		heard := m.Heard
		if heard.Before(s.started) {
			heard = s.started
		}
		silence = max(silence, s.now.Sub(heard))
	}
	p.gauge("ledger_sequences", "1 if this node is a sequencer: it orders entries.", number(sequences))
	p.gauge("ledger_leads", "1 if this node leads the sequencers, as far as it knows.", number(l.Leader == s.ID))
	p.gauge("ledger_members_behind", "Members that lacked final entries when last heard of.", float64(behind))
	p.gauge("ledger_members_convicted", "Members that signed what cannot both be true.", float64(convicted))
	p.gauge("ledger_longest_silence_seconds", "How long ago the member that has been silent for longest was heard of.", silence.Seconds())
}

// page is where the metrics of one answer go.
type page chan<- prometheus.Metric

// gauge gives one value, with at most one label and what it says.
func (p page) gauge(name, help string, value float64, label ...string) {
	p.give(prometheus.GaugeValue, name, help, value, label)
}

// counter is gauge for what only grows while the node serves.
func (p page) counter(name, help string, value float64, label ...string) {
	p.give(prometheus.CounterValue, name, help, value, label)
}

func (p page) give(kind prometheus.ValueType, name, help string, value float64, label []string) {
	var names, values []string
	if len(label) == 2 {
		names, values = label[:1], label[1:]
	}
	d := prometheus.NewDesc("entente_"+name, help, names, nil)
	m, err := prometheus.NewConstMetric(d, kind, value, values...)
	if err != nil {
		m = prometheus.NewInvalidMetric(d, err)
	}
	p <- m
}

func unix(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
