package node

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"entente/node/ledger"
)

// WantedTerm is a new term of the ledger as a person asks for it.
type WantedTerm struct {
	Sequencers []string `json:"sequencers"`        // who orders entries in it
	Without    string   `json:"without,omitempty"` // who has no part in it, where three members have part
}

// CallTerm calls for a new term of a ledger that stands still. This node signs nothing more
// in the present one from then on.
func (n *Node) CallTerm(w WantedTerm) (ledger.Called, error) {
	l, err := n.Ledger()
	if err != nil {
		return ledger.Called{}, err
	}
	c, err := l.Call(w.Sequencers, w.Without)
	if errors.Is(err, ledger.ErrPledged) || errors.Is(err, ledger.ErrTerm) {
		return ledger.Called{}, err
	}
	if err != nil {
		return ledger.Called{}, errors.Join(ErrWanted, err)
	}
	d := c.Digest()
	return called(l, hex.EncodeToString(d[:]))
}

// AgreeTerm agrees to the call whose id begins so. This node signs nothing more in the
// present term from then on.
func (n *Node) AgreeTerm(prefix string) (ledger.Called, error) {
	l, err := n.Ledger()
	if err != nil {
		return ledger.Called{}, err
	}
	one, err := called(l, prefix)
	if err != nil {
		return ledger.Called{}, err
	}
	digest, err := hex.DecodeString(one.ID)
	if err != nil {
		return ledger.Called{}, err
	}
	if err := l.Agree([32]byte(digest)); err != nil {
		return ledger.Called{}, err
	}
	return called(l, one.ID)
}

// called is the one call whose id begins so.
func called(l *ledger.Service, prefix string) (ledger.Called, error) {
	all, err := l.Calls()
	if err != nil {
		return ledger.Called{}, err
	}
	var found []ledger.Called
	for _, c := range all {
		if strings.HasPrefix(c.ID, strings.ToLower(prefix)) {
			found = append(found, c)
		}
	}
	if len(found) != 1 || len(prefix) < 4 {
		return ledger.Called{}, fmt.Errorf("%w, or more than one begins so", ledger.ErrNoCall)
	}
	return found[0], nil
}
