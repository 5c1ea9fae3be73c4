package store

import "os"

// syncFolder does nothing: Windows has no way to synchronise a folder, and journals
// names itself.
func syncFolder(*os.Root) error { return nil }
