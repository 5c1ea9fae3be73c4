package store

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// Held is a directory that this process holds.
type Held struct{ lock *flock.Flock }

// Lock takes a node's directory for this process alone, until Release or the
// process's end. errors.Is ErrLocked if another one has it. It does not wait.
func Lock(dir string) (*Held, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("lock directory: %w", err)
	}
	l := flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600))
	ok, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock directory: %w", err)
	}
	if !ok {
		return nil, fmt.Errorf("lock directory: %w", ErrLocked)
	}
	return &Held{lock: l}, nil
}

// Release lets another process take the directory.
func (h *Held) Release() error {
	if err := h.lock.Unlock(); err != nil {
		return fmt.Errorf("release directory: %w", err)
	}
	return nil
}
