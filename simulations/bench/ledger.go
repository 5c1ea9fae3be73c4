package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"entente/protocol/entry"
)

// ledgerSequencers is how many members order the ledger; as few as bear one fault, and one more.
const ledgerSequencers = 5

// runLedger has five sequencers, who are all members, order and make final n entries that are
// signed beforehand, each with its files on disk; and then, in a child process and in virtual
// time, single entries of a federation of so many members far from one another.
func runLedger(ctx context.Context, m *meter, p Params) error {
	if err := m.ordered(ctx, int(p["n"])); err != nil {
		return err
	}
	median, err := virtualFinality(ctx, int(p["members"]), time.Duration(p["rtt"])*time.Millisecond)
	if err != nil {
		return err
	}
	m.figure("final_p50_ms", float64(median)/float64(time.Millisecond))
	return nil
}

func (m *meter) ordered(ctx context.Context, n int) (err error) {
	dir, err := os.MkdirTemp("", "entente-bench-ledger-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var f *ledgers
	if err := m.prepare("begin", func() (err error) {
		if f, err = foundLedgers(ctx, dir, ledgerSequencers, ledgerSequencers, 0, time.Now); err != nil {
			return err
		}
		return f.settle(ctx, time.Minute)
	}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	var before, after uint64
	if err := m.prepare("sign", func() error {
		for i := range n {
			if err := f.members[i%len(f.members)].chain.hold(entry.SealedDigest, i); err != nil {
				return err
			}
		}
		final, err := f.members[0].service.Mirror().LastFinal()
		before = final.Size
		return err
	}); err != nil {
		return err
	}
	err = m.measure("order", func() error {
		for _, one := range f.members {
			one.chain.release()
		}
		return f.settle(ctx, 10*time.Minute)
	})
	if err != nil {
		return err
	}
	final, err := f.members[0].service.Mirror().LastFinal()
	if err != nil {
		return err
	}
	if after = final.Size; after < before+uint64(n) {
		return fmt.Errorf("%d entries are final, %d were written", after-before, n)
	}
	m.figure("entries_per_second", float64(n)/m.result.WallSeconds)
	m.figure("cpu_us_per_entry", m.result.CPUSeconds*1e6/float64(n))
	size, err := fileSize(filepath.Join(dir, "M00", "mirror"))
	m.result.BytesPerItem = float64(size) / float64(after)
	return err
}

func fileSize(name string) (int64, error) {
	info, err := os.Stat(name)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
