//go:build !windows

package config

import (
	"io/fs"
	"os"
	"syscall"
)

// private reports that a folder belongs to this user, or root looks at somebody's, and
// nobody else can get in.
func private(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	owned := ok && (int(s.Uid) == os.Geteuid() || os.Geteuid() == 0)
	return owned && info.Mode().Perm()&0o077 == 0
}
