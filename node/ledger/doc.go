// Package ledger keeps a node's part in the federation's ledger.
//
// A Mirror is the node's own copy of all entries, with the tree over them and the state
// that follows (protocol/replay). A Signer signs checkpoints of it (protocol/checkpoint),
// as sequencer and as cosigner, and remembers what it signed before it lets go of it.
//
// It promises against everybody: nothing is held that replay did not admit; nothing is
// signed that is not held, that goes beyond a change of the committee which is not final,
// or that conflicts with what was signed before, also across crashes and whatever byte of
// the file was changed. It does not promise that a file put back from an old copy is
// noticed: the cosigning key is changed then.
package ledger
