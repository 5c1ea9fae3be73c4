package transport

import (
	"cmp"
	"crypto/ed25519"
	"fmt"
	"slices"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	ma "github.com/multiformats/go-multiaddr"
)

// Member is one that may connect: its id in the federation, its transport key and
// the addresses to dial (see CheckAddress; none: it can only dial us).
type Member struct {
	ID        string
	Key       ed25519.PublicKey
	Addresses []string
}

// Peer is what is known about the link to one member.
type Peer struct {
	Member      string
	Connected   bool
	Address     string // of the other end, "" if not connected
	KeyExchange string // as negotiated, e.g. X25519MLKEM768; "" if not connected
	Inbound     bool   // the other side dialled
	Streams     int
	Problem     string // why the last attempt failed, "" after a success
}

// memberSet is one immutable state of the allow-list.
type memberSet struct {
	byID   map[string]peer.ID
	byPeer map[peer.ID]string
}

func (s *memberSet) name(p peer.ID) string { return s.byPeer[p] }

func (t *Transport) admits(p peer.ID) bool {
	_, ok := t.members.Load().byPeer[p]
	return ok
}

// SetMembers replaces the allow-list. It holds for every check from then on;
// connections and streams of those who are no longer in it, or whose key changed,
// are cut before it returns. The own entry and unusable ones are left out, the
// latter with a line in the log.
func (t *Transport) SetMembers(members []Member) {
	t.setting.Lock()
	defer t.setting.Unlock()
	next := &memberSet{byID: map[string]peer.ID{}, byPeer: map[peer.ID]string{}}
	addresses := map[peer.ID][]ma.Multiaddr{}
	for _, m := range members {
		p, err := peerID(m.Key)
		switch {
		case m.ID == t.o.ID || p == t.self:
			continue
		case err != nil:
			t.log.Warn("member left out", "member", m.ID, "reason", err.Error())
			continue
		case m.ID == "" || next.byID[m.ID] != "" || next.byPeer[p] != "":
			t.log.Warn("member left out", "member", m.ID, "reason", "id or key is missing or occurs twice")
			continue
		}
		next.byID[m.ID], next.byPeer[p] = p, m.ID
		addresses[p] = t.usable(m, p)
	}
	before := t.members.Swap(next)
	for p, list := range addresses {
		t.book.ClearAddrs(p)
		t.book.AddAddrs(p, list, peerstore.PermanentAddrTTL)
	}
	for p := range before.byPeer {
		if next.byPeer[p] == "" {
			t.book.ClearAddrs(p)
		}
	}
	t.cutStrangers()
}

// usable returns the addresses of a member that can be dialled.
func (t *Transport) usable(m Member, p peer.ID) []ma.Multiaddr {
	var out []ma.Multiaddr
	for _, s := range m.Addresses {
		err := CheckAddress(s)
		var a parsed
		if err == nil {
			a, err = parseAddress(s)
		}
		if err == nil && a.id != "" && a.id != p {
			err = fmt.Errorf("address %s: names another key than the member's", s)
		}
		if err != nil {
			t.log.Warn("address left out", "member", m.ID, "reason", err.Error())
			continue
		}
		out = append(out, a.dial)
	}
	return out
}

// cutStrangers ends what belongs to peers outside of the present member set.
// Connections first: then no reset has to wait for a stuck socket.
func (t *Transport) cutStrangers() {
	for _, c := range t.swarm.Conns() {
		if !t.admits(c.RemotePeer()) {
			_ = c.Close()
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range t.streams {
		if !t.admits(s.peer) {
			s.cut(fmt.Errorf("%s: %w any more", s.member, ErrUnknownMember))
		}
	}
	for p := range t.problems {
		if !t.admits(p) {
			delete(t.problems, p)
		}
	}
}

// connected closes the gap between the gater's check and the list of connections:
// a member removed in between is seen by one of the two.
func (t *Transport) connected(_ network.Network, c network.Conn) {
	if !t.admits(c.RemotePeer()) {
		_ = c.Close()
	}
}

// Status returns one entry for each member, in order of their ids.
func (t *Transport) Status() []Peer {
	set := t.members.Load()
	out := make([]Peer, 0, len(set.byID))
	for id, p := range set.byID {
		out = append(out, t.status(id, p))
	}
	slices.SortFunc(out, func(a, b Peer) int { return cmp.Compare(a.Member, b.Member) })
	return out
}

func (t *Transport) status(id string, p peer.ID) Peer {
	s := Peer{Member: id}
	t.mu.Lock()
	s.Problem = t.problems[p]
	for open := range t.streams {
		if open.peer == p {
			s.Streams++
		}
	}
	t.mu.Unlock()
	for _, c := range t.swarm.ConnsToPeer(p) {
		if c.IsClosed() {
			continue
		}
		s.Connected, s.Address, s.KeyExchange = true, c.RemoteMultiaddr().String(), keyExchange(c)
		s.Inbound = c.Stat().Direction == network.DirInbound
		break
	}
	return s
}
