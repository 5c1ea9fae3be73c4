package config

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// maxSocket is the longest path that every system takes for a unix socket, in bytes
// (macOS has 104 with the end mark, Linux 108).
const maxSocket = 100

// ControlSocket returns the path at which the node in dir listens for commands, the
// same for daemon and command line. A path that is too long for a socket is replaced
// by a short one in the system's folder for temporary files, whose name comes from
// the long one; the folder that holds it is made for the owner alone, and refused if
// somebody else's.
func (c Config) ControlSocket(dir string) (string, error) {
	path, err := filepath.Abs(c.socketPath(dir))
	if err != nil {
		return "", fmt.Errorf("find control socket: %w", err)
	}
	if len(path) <= maxSocket {
		return path, nil
	}
	if resolved, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(resolved, filepath.Base(path)) // one directory, one socket, by whatever name
	}
	digest := sha256.Sum256([]byte(path))
	folder := filepath.Join(os.TempDir(), fmt.Sprintf("entente-%x", digest[:8]))
	short := filepath.Join(folder, "s")
	if len(short) > maxSocket {
		return "", errors.New("find control socket: its path and that of temporary files are too long for a socket; set control.socket to a path under 100 bytes")
	}
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("find control socket: %w", err)
	}
	info, err1 := os.Lstat(folder)
	node, err2 := os.Stat(dir)
	if err := errors.Join(err1, err2); err != nil {
		return "", fmt.Errorf("find control socket: %w", err)
	}
	if !info.IsDir() || !private(info, node) {
		return "", fmt.Errorf("find control socket: %s is not this user's alone; remove it or set control.socket", folder)
	}
	return short, nil
}
