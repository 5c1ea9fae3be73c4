package collective

import (
	"errors"

	"entente/crypto/transcript"
)

// Life names the life of a holder's store: drawn at random when the store is made, and drawn
// anew whenever it is restored from a copy, a backup or a snapshot of its disk.
type Life [16]byte

// Entry is what a journal holds of a reference polynomial: for which sum under which key, and
// which active set, its one share is, and the share as soon as it exists. A holder shares once
// under a reference, not once under a key: if its record was put back and a second key was made
// under the same reference, from the same secrets, the journal still refuses.
type Entry struct {
	Key     [transcript.Size]byte // the reference, and the holder's point
	Request [transcript.Size]byte // the sum, its key and the active set
	Attempt [16]byte              // of who wrote the entry
	Share   []byte                // empty until it is computed
}

// Journal is a holder's durable memory of what it shared. Entries are never deleted: one
// that is lost allows a second share, which opens the key. Protocols may note other things under
// keys of their own that must be one for good, without a share: the first note stays.
//
// No share is computed under a key from another life than the journal's. So a restore is
// handled by its one duty, to draw a new life: everything that the restored store may have
// forgotten is then refused, whatever the copy held. A holder that was restored takes no part
// any more in tallies that it had accepted before; t others finish them, or they are begun
// again under a new key.
type Journal interface {
	// Life returns the life of the store.
	Life() (Life, error)
	// Record does one of three things, atomically, and returns what is stored under the key
	// then: it stores the entry durably if there is none; it adds the share to an entry with
	// the same request and attempt that has none; else it changes nothing.
	Record(Entry) (Entry, error)
}

// Errors of sharing.
var (
	ErrShared   = errors.New("a share exists under this reference for another sum, key or other holders")
	ErrLost     = errors.New("a share was begun and not kept: the key is spent")
	ErrRestored = errors.New("the key is from before the store was restored")
)
