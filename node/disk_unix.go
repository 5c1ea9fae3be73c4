//go:build unix

package node

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// freeSpace is the room in bytes that the node may still use on its disk.
func freeSpace(dir string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("ask for free space: %w", err)
	}
	return uint64(s.Bavail) * uint64(s.Bsize), nil
}
