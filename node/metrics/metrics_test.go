package metrics_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"entente/node"
	"entente/node/ledger"
	"entente/node/metrics"
)

// source is a node that does as a test says.
type source func(context.Context) node.Vitals

func (f source) Vitals(ctx context.Context) node.Vitals { return f(ctx) }

// well is how a node does in a federation of four with a ledger.
func well() node.Vitals {
	now := time.Now()
	return node.Vitals{
		ID: "AU", Version: "1.2", Partners: 3, Connected: 2, Free: 5e9,
		Refused: map[string]uint64{"stranger": 7, "flood": 0},
		Rounds:  map[string]int64{"done": 4, "refused": 0}, Standing: map[string]int64{"active": 2, "paused": 1},
		Problems: map[string]error{"rounds": nil, "disk": nil, "ledger": nil},
		Ledger: &ledger.Standing{
			Entries: 120, Final: 118, Since: now.Add(-20 * time.Second), Clock: now.Add(-time.Minute), Leader: "AU",
			Waiting: 2, Oldest: now.Add(-90 * time.Second), Took: "1.25s", Quorum: 3,
			Members: []ledger.Member{
				{ID: "AU", Sequencer: true, Key: true, Cosigned: true, Heard: now},
				{ID: "ID", Sequencer: true, Key: true, Cosigned: true, Heard: now.Add(-10 * time.Second)},
				{ID: "MY", Key: true, Cosigned: true, Behind: 5, Heard: now.Add(-40 * time.Second)},
				{ID: "TH", Key: true, Convicted: true}, // never heard of
			},
			Alarms: []string{"one"}, Remedy: []string{"one", "two"},
		},
	}
}

const page = `
entente_build_info{version="1.2"} 1
entente_connections_refused_total{reason="flood"} 0
entente_connections_refused_total{reason="stranger"} 7
entente_disk_free_bytes 4.831838208e+09
entente_ledger_alarms 1
entente_ledger_clock_timestamp_seconds 9.46685e+08
entente_ledger_cosigned{member="AU"} 1
entente_ledger_cosigned{member="ID"} 1
entente_ledger_cosigned{member="MY"} 1
entente_ledger_cosigned{member="TH"} 0
entente_ledger_entries 120
entente_ledger_final_entries 118
entente_ledger_leader_known 1
entente_ledger_leads 1
entente_ledger_longest_silence_seconds 260
entente_ledger_members 4
entente_ledger_members_behind 1
entente_ledger_members_convicted 1
entente_ledger_own_final_timestamp_seconds 9.4668504e+08
entente_ledger_own_unfinal_age_seconds 90
entente_ledger_own_unfinal_entries 2
entente_ledger_quorum 3
entente_ledger_remedies 2
entente_ledger_sequences 1
entente_ledger_time_to_finality_seconds 1.25
entente_part_readable{part="disk"} 1
entente_part_readable{part="ledger"} 1
entente_part_readable{part="rounds"} 1
entente_partners 3
entente_partners_connected 2
entente_rounds_held_back 0
entente_rounds{state="done"} 4
entente_rounds{state="refused"} 0
entente_standing_rounds{state="active"} 2
entente_standing_rounds{state="paused"} 1
entente_start_time_seconds 9.466848e+08
`

// read asks once, outside a network.
func read(h http.Handler, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

// values are the lines of a page that are no comments.
func values(body string) string {
	var out []string
	for line := range strings.Lines(body) {
		if !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	slices.Sort(out)
	return strings.Join(out, "")
}

func TestPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := metrics.Handler(source(func(context.Context) node.Vitals { return well() }), slog.New(slog.DiscardHandler))
		time.Sleep(260 * time.Second)
		w := read(h, http.MethodGet, metrics.Path)
		if got := values(w.Body.String()); w.Code != http.StatusOK || got != strings.TrimPrefix(page, "\n") {
			t.Errorf("status %d:\n%s", w.Code, got)
		}
		problems, err := promlint.New(w.Body).Lint()
		if err != nil || len(problems) > 0 {
			t.Errorf("not as Prometheus wants it: %v, %v", problems, err)
		}
	})
}

// TestReadmeNamesThem finds every metric that operators read about.
func TestReadmeNamesThem(t *testing.T) {
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`\bentente_[a-z_]+`).FindAllString(string(b), -1)
	if len(names) < 5 {
		t.Fatalf("found only %q", names)
	}
	for _, name := range names {
		if !regexp.MustCompile(`(?m)^` + name + `[ {]`).MatchString(page) {
			t.Errorf("README.md names %s, and there is none", name)
		}
	}
}

// What cannot be read is missing, and said so to the log alone.
func TestMissingParts(t *testing.T) {
	var log bytes.Buffer
	v := node.Vitals{Problems: map[string]error{"rounds": errors.New("store.db is damaged"), "disk": nil}}
	h := metrics.Handler(source(func(context.Context) node.Vitals { return v }), slog.New(slog.NewTextHandler(&log, nil)))
	body := read(h, http.MethodGet, metrics.Path).Body.String()
	for _, want := range []string{"entente_part_readable{part=\"rounds\"} 0\n", "entente_part_readable{part=\"disk\"} 1\n", "entente_disk_free_bytes 0\n"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s", want)
		}
	}
	for _, no := range []string{"entente_ledger", "entente_rounds", "entente_standing", `part="ledger"`, "damaged"} {
		if strings.Contains(body, no) {
			t.Errorf("%s is there", no)
		}
	}
	if !strings.Contains(log.String(), "store.db is damaged") {
		t.Errorf("the log says only %q", log.String())
	}
}

func TestNothingElse(t *testing.T) {
	h := metrics.Handler(source(func(context.Context) node.Vitals { return well() }), slog.New(slog.DiscardHandler))
	for path, want := range map[string]int{"/": 404, "/metrics/": 404, "/metrics/x": 404, "/debug/pprof/": 404, "/openapi.json": 404} {
		if w := read(h, http.MethodGet, path); w.Code != want {
			t.Errorf("%s: status %d", path, w.Code)
		}
	}
	if w := read(h, http.MethodPost, metrics.Path); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: status %d", w.Code)
	}
}

// One reader is answered at a time, and the others do not wait for ever.
func TestReadersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		h := metrics.Handler(source(func(context.Context) node.Vitals {
			<-stuck
			return well()
		}), slog.New(slog.DiscardHandler))
		first := make(chan int, 1)
		go func() { first <- read(h, http.MethodGet, metrics.Path).Code }()
		synctest.Wait()
		if w := read(h, http.MethodGet, metrics.Path); w.Code != http.StatusServiceUnavailable {
			t.Errorf("the second: status %d", w.Code)
		}
		close(stuck)
		if code := <-first; code != http.StatusOK {
			t.Errorf("the first: status %d", code)
		}
		if w := read(h, http.MethodGet, metrics.Path); w.Code != http.StatusOK {
			t.Errorf("the third: status %d", w.Code)
		}
	})
}

// The end of the context ends answers that are being made, connections that rest, and the
// listener.
func TestServeEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l, err := metrics.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := metrics.Listen(ctx, l.Addr().String()); err == nil {
		t.Error("opened a port that is taken")
	}
	asked, slow := make(chan struct{}), false
	log := slog.New(slog.DiscardHandler)
	h := metrics.Handler(source(func(ctx context.Context) node.Vitals {
		if slow {
			close(asked)
			<-ctx.Done()
		}
		return well()
	}), log)
	ended := make(chan error, 1)
	go func() { ended <- metrics.Serve(ctx, l, h, log) }()
	url := "http://" + l.Addr().String() + metrics.Path
	get := func() (string, error) {
		r, err := http.Get(url)
		if err != nil {
			return "", err
		}
		b, err := io.ReadAll(r.Body)
		return string(b), errors.Join(err, r.Body.Close())
	}
	if body, err := get(); err != nil || !strings.Contains(body, "entente_partners 3\n") {
		t.Fatalf("%v: %s", err, body)
	}
	slow = true
	answered := make(chan error, 1)
	go func() {
		_, err := get()
		answered <- err
	}()
	<-asked
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	<-answered // well or not
	if _, err := get(); err == nil {
		t.Error("it answers after its end")
	}
}

func TestServeTellsWhatIsWrong(t *testing.T) {
	l, err := metrics.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := metrics.Serve(t.Context(), l, http.NotFoundHandler(), slog.New(slog.DiscardHandler)); err == nil {
		t.Error("served on a closed listener")
	}
}
