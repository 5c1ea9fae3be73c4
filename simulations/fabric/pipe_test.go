package fabric_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"entente/simulations/fabric"
)

// thin is the poorest line that a round has to survive: 512 kbit/s, 600 ms there
// and back.
var thin = fabric.Link{Latency: 300 * time.Millisecond, Bandwidth: 512_000}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func TestPipeTakesItsTime(t *testing.T) {
	for name, c := range map[string]struct {
		link fabric.Link
		size int
		want time.Duration
	}{
		"thin":              {thin, 1_024_000, 16*time.Second + 300*time.Millisecond},
		"one byte":          {thin, 1, 300*time.Millisecond + 15625*time.Nanosecond},
		"latency alone":     {fabric.Link{Latency: time.Second}, 200_000, time.Second},
		"bandwidth alone":   {fabric.Link{Bandwidth: 8_000_000}, 3_000_000, 3 * time.Second},
		"neither":           {fabric.Link{}, 3_000_000, 0},
		"window per a trip": {fabric.Link{Latency: time.Second}, 512 << 10, time.Second * 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := fabric.Pipe(c.link)
				sent := random(c.size)
				var wg sync.WaitGroup
				wg.Go(func() {
					if n, err := a.Write(sent); n != len(sent) || err != nil {
						t.Errorf("wrote %d of %d bytes: %v", n, len(sent), err)
					}
					_ = a.Close()
				})
				from := time.Now()
				got := make([]byte, c.size)
				if _, err := io.ReadFull(b, got); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(from); took < c.want || took > c.want+c.want/100 {
					t.Errorf("%d bytes took %s, want %s", c.size, took, c.want)
				}
				if !bytes.Equal(got, sent) || b.Received() != int64(c.size) {
					t.Error("the bytes that arrived are others")
				}
				if rest, err := io.ReadAll(b); len(rest) > 0 || err != nil {
					t.Errorf("after the end: %d bytes, %v", len(rest), err)
				}
				wg.Wait()
			})
		})
	}
}

func TestPipeDirectionsAreIndependent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := fabric.Pipe(fabric.Link{Bandwidth: 8_000_000})
		from := time.Now()
		var wg sync.WaitGroup
		for _, e := range []*fabric.End{a, b} {
			wg.Go(func() {
				_, _ = e.Write(make([]byte, 1_000_000))
				_ = e.CloseWrite()
			})
			wg.Go(func() {
				if got, err := io.ReadAll(e); len(got) != 1_000_000 || err != nil {
					t.Errorf("%d bytes, %v", len(got), err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(from); took != time.Second {
			t.Errorf("both together took %s", took)
		}
	})
}

func TestPipeCutAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, n := range []int64{1, 1000, 1024, 300_000} {
			link := thin
			link.CutAfter = n
			a, b := fabric.Pipe(link)
			var wg sync.WaitGroup
			wg.Go(func() {
				if _, err := a.Write(make([]byte, 1<<20)); !errors.Is(err, fabric.ErrCut) {
					t.Errorf("write: %v", err)
				}
			})
			got, err := io.ReadAll(b)
			if int64(len(got)) != n || !errors.Is(err, fabric.ErrCut) {
				t.Errorf("cut after %d: %d bytes, %v", n, len(got), err)
			}
			wg.Wait()
			if _, err := a.Read(make([]byte, 1)); !errors.Is(err, fabric.ErrCut) {
				t.Errorf("other end reads: %v", err)
			}
		}
	})
}

func TestPipeCutAfterCountsBothEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := fabric.Pipe(fabric.Link{CutAfter: 3})
		for _, step := range []struct {
			from, to *fabric.End
			err      error
		}{{a, b, nil}, {b, a, nil}, {a, b, nil}, {b, a, fabric.ErrCut}} {
			_, err := step.from.Write([]byte{1})
			if err == nil {
				_, err = io.ReadFull(step.to, make([]byte, 1))
			}
			if !errors.Is(err, step.err) {
				t.Errorf("got %v, want %v", err, step.err)
			}
		}
	})
}

// TestTransferOverTwoDisconnects is how a protocol test uses the pipe.
func TestTransferOverTwoDisconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := random(600_000)
		var got []byte
		from := time.Now()
		for _, cut := range []int64{150_000, 250_000, 0} {
			link := thin
			link.CutAfter = cut
			a, b := fabric.Pipe(link)
			var wg sync.WaitGroup
			wg.Go(func() {
				_, _ = a.Write(sent[len(got):])
				_ = a.Close()
			})
			part, err := io.ReadAll(b)
			wg.Wait()
			got = append(got, part...)
			if (err != nil) != (cut != 0) {
				t.Fatalf("line that is cut after %d bytes: %v", cut, err)
			}
		}
		if !bytes.Equal(got, sent) {
			t.Error("the bytes that arrived are others")
		}
		if took := time.Since(from); took < 10*time.Second || took > 11*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestPipeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := fabric.Pipe(fabric.Link{Latency: time.Second})
		if _, err := a.Write([]byte("last")); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		}
		if got, err := io.ReadAll(b); string(got) != "last" || err != nil {
			t.Errorf("after Close: %q, %v", got, err)
		}
		if _, err := a.Write([]byte{1}); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("write at the closed end: %v", err)
		}
		if _, err := a.Read([]byte{1}); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("read at the closed end: %v", err)
		}
		if _, err := b.Write([]byte{1}); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("write to the closed end: %v", err)
		}
		if n, err := b.Read(nil); n != 0 || err != nil {
			t.Errorf("read of nothing: %d, %v", n, err)
		}
	})
}

// TestPipeWakesWhoWaits: a reader and a full writer end when the line does.
func TestPipeWakesWhoWaits(t *testing.T) {
	for name, end := range map[string]struct {
		do   func(a, b *fabric.End)
		want error
	}{
		"cut":   {func(a, _ *fabric.End) { a.Cut() }, fabric.ErrCut},
		"close": {func(_, b *fabric.End) { _ = b.Close() }, io.ErrClosedPipe},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := fabric.Pipe(fabric.Link{Latency: time.Second})
				var wg sync.WaitGroup
				wg.Go(func() {
					if _, err := a.Write(make([]byte, 1<<20)); !errors.Is(err, end.want) {
						t.Errorf("writer: %v", err)
					}
				})
				wg.Go(func() {
					_, err := a.Read(make([]byte, 1))
					if name == "close" && err != io.EOF || name == "cut" && !errors.Is(err, fabric.ErrCut) {
						t.Errorf("reader: %v", err)
					}
				})
				synctest.Wait()
				end.do(a, b)
				wg.Wait()
			})
		})
	}
}

func TestPipeReadsAsReadersExpect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := fabric.Pipe(fabric.Link{Bandwidth: 8_000_000})
		sent := random(5000)
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := 0; i < len(sent); i += 7 {
				_, _ = a.Write(sent[i:min(i+7, len(sent))])
			}
			_ = a.Close()
		})
		if err := iotest.TestReader(b, sent); err != nil {
			t.Error(err)
		}
		wg.Wait()
	})
}
