//go:build !windows

package config

import (
	"io/fs"
	"syscall"
)

// private reports that nobody but its owner can enter a folder, and that the owner is
// root or the owner of the node's directory: anybody else could have made it to listen
// for commands that are not meant for them.
func private(folder, node fs.FileInfo) bool {
	f, ok1 := folder.Sys().(*syscall.Stat_t)
	n, ok2 := node.Sys().(*syscall.Stat_t)
	return ok1 && ok2 && (f.Uid == 0 || f.Uid == n.Uid) && folder.Mode().Perm()&0o077 == 0
}
