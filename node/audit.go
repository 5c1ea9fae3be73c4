package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	"entente/node/store"
	"entente/protocol/entry"
)

// sealEvery is how often the head of the local chain is sealed into the submitted
// one: whoever saw the submitted chain can later tell that the local one was not
// rewritten before that day.
const sealEvery = 24 * time.Hour

// Mirror brings the audit folder up to date: both chains, receipts, openings. The
// folder can be rebuilt from the database at any time.
func (n *Node) Mirror(ctx context.Context) error {
	n.mirrors.Lock()
	defer n.mirrors.Unlock()
	if err := n.store.Mirror(ctx, n.dir); err != nil {
		return fmt.Errorf("bring the audit folder up to date: %w", err)
	}
	root, err := os.OpenRoot(n.AuditDir())
	if err != nil {
		return fmt.Errorf("bring the audit folder up to date: %w", err)
	}
	defer func() { _ = root.Close() }() // a handle of a folder
	have := func(name string) bool {
		_, err := root.Lstat(name)
		return err == nil
	}
	for _, evidence := range []func(context.Context, func(string) bool) (map[string][]byte, error){n.rounds.Evidence, n.lasting.Evidence} {
		files, err := evidence(ctx, have)
		if err != nil {
			return fmt.Errorf("bring the audit folder up to date: %w", err)
		}
		for name, content := range files {
			if err := place(root, name, content); err != nil {
				return fmt.Errorf("bring the audit folder up to date: %w", err)
			}
		}
	}
	return nil
}

// place writes a new file whole or not at all.
func place(root *os.Root, name string, content []byte) error {
	if err := root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return err
	}
	part := name + "." + rand.Text()[:8] + ".part"
	f, err := root.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = root.Rename(part, name)
	}
	if err != nil {
		err = errors.Join(err, ignoreMissing(root.Remove(part)))
	}
	return err
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// daily seals the local chain's head whenever the last seal is a day old.
func (n *Node) daily(ctx context.Context) {
	ticker := time.NewTicker(time.Hour)
	defer ticker.Stop()
	for {
		if err := n.sealHead(ctx); err != nil && ctx.Err() == nil {
			n.log.Error("seal the local chain's head", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

const lastSeal = "last local head" // setting: time of the last seal

// sealHead publishes the sealed head and keeps its opening, in one step.
func (n *Node) sealHead(ctx context.Context) error {
	now := time.Now()
	sealed := false
	err := n.store.Update(ctx, func(tx *store.Tx) error {
		last, err := tx.Get(lastSeal)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if t, err := time.Parse(time.RFC3339, string(last)); err == nil && now.Sub(t) < sealEvery {
			return nil
		}
		head, err := tx.Head(entry.Local)
		if err != nil {
			return err
		}
		opening, err := entry.SealHead(head)
		if err != nil {
			return err
		}
		public, err := opening.Entry()
		if err != nil {
			return err
		}
		secret, err := opening.Marshal()
		if err != nil {
			return err
		}
		if err := tx.Append(entry.Submitted, entry.LocalHead, public, now); err != nil {
			return err
		}
		if err := tx.Append(entry.Local, entry.LocalHeadOpening, secret, now); err != nil {
			return err
		}
		sealed = true
		return tx.Put(lastSeal, []byte(now.UTC().Format(time.RFC3339)))
	})
	if errors.Is(err, store.ErrUnbegun) {
		return nil // there is no chain yet to seal it in
	}
	if err != nil || !sealed {
		return err
	}
	return n.Mirror(ctx)
}
