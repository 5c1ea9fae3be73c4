package api

import (
	"errors"
	"io/fs"
	"os"
)

// removeSocket removes what a dead process left, and nothing but a socket.
func removeSocket(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return ignoreMissing(err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errors.New("something that is no socket lies at its place")
	}
	return ignoreMissing(os.Remove(path))
}

// restrict lets only the owner open the socket.
func restrict(path string) error { return os.Chmod(path, 0o600) }
