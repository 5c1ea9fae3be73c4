package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"

	"entente/node"
	"entente/node/config"
	"entente/node/federation"
	"entente/node/rounds"
	"entente/protocol/roster"
)

// stage holds the three nodes.
type stage struct {
	base    string
	tap     rounds.Tap // on the node of AU, which speaks in every round
	members map[string]*member
}

// member is one open node, and the goroutine in which it serves.
type member struct {
	*node.Node
	cancel context.CancelFunc // nil while it does not serve
	ended  chan error
}

func (s *stage) dir(id string) string { return filepath.Join(s.base, strings.ToLower(id)) }

// open sets the nodes up, signs the roster with all of them, gives them their rules
// and lets them serve. It returns the roster's words.
func (s *stage) open(ctx context.Context) (string, error) {
	s.members = map[string]*member{}
	ports, free, err := reserve(len(ids()))
	if err != nil {
		return "", err
	}
	defer free()
	roster, err := s.found(ctx, ports)
	if err != nil {
		return "", err
	}
	for _, id := range ids() {
		if err := s.admit(ctx, id, roster); err != nil {
			return "", fmt.Errorf("set up %s: %w", id, err)
		}
	}
	free() // as late as possible, so that nobody else takes the ports
	for _, id := range ids() {
		if err := s.members[id].serve(ctx); err != nil {
			return "", fmt.Errorf("start %s: %w", id, err)
		}
	}
	f, err := s.members[au].Federation(ctx)
	return f.Words, err
}

// found makes the nodes and draws up the roster, which all of them sign.
func (s *stage) found(ctx context.Context, ports []int) (string, error) {
	var cards []string
	for i, id := range ids() {
		c := config.Default()
		c.Member = config.Member{ID: id, Name: nameOf(id), Role: "state"}
		c.Network.Listen = []string{fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", ports[i])}
		if _, err := node.Init(ctx, s.dir(id), node.Setup{Config: c}); err != nil {
			return "", err
		}
		cards = append(cards, filepath.Join(s.dir(id), federation.CardName))
	}
	file := filepath.Join(s.base, "fed.json")
	if _, err := federation.CreateWithLedger("demonstration", file, cards, ids(), roster.Spread{}); err != nil {
		return "", err
	}
	for _, id := range ids() {
		o := node.Options{Version: "demonstration"}
		if id == au {
			o.Tap = s.tap
		}
		n, err := node.Open(ctx, s.dir(id), o)
		if err != nil {
			return "", err
		}
		s.members[id] = &member{Node: n}
		if _, _, err := n.SignRoster(file); err != nil {
			return "", err
		}
	}
	return file, nil
}

// admit lets a node live by the roster and by its rules.
func (s *stage) admit(ctx context.Context, id, roster string) error {
	m := s.members[id]
	if _, err := m.JoinFederation(ctx, roster); err != nil {
		return err
	}
	rules, err := rulesOf(id)
	if err != nil {
		return err
	}
	folder := filepath.Join(s.dir(id), node.RulesFolder)
	if err := node.WriteRules(folder, rules); err != nil {
		return err
	}
	_, err = m.ActivateRules(ctx, folder)
	return err
}

// reserve finds free ports and keeps them until free is called, once or more often.
func reserve(n int) (ports []int, free func(), err error) {
	var listeners []net.Listener
	free = func() {
		for _, l := range listeners {
			_ = l.Close() // nobody has connected
		}
		listeners = nil
	}
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			free()
			return nil, nil, fmt.Errorf("find a free port: %w", err)
		}
		listeners = append(listeners, l)
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, free, nil
}

// serve lets the node serve until stop; it returns once the node can be reached.
func (m *member) serve(ctx context.Context) error {
	ctx, m.cancel = context.WithCancel(ctx)
	m.ended = make(chan error, 1)
	ready := make(chan struct{})
	go func() { m.ended <- m.Run(ctx, func() { close(ready) }) }()
	select {
	case <-ready:
		return nil
	case err := <-m.ended:
		m.cancel()
		m.cancel = nil
		return err
	}
}

// stop ends serving and waits for the end.
func (m *member) stop() error {
	if m.cancel == nil {
		return nil
	}
	m.cancel()
	m.cancel = nil
	return <-m.ended
}

// stop ends the serving of all nodes; they stay open.
func (s *stage) stop() error {
	var errs []error
	for _, m := range s.members {
		errs = append(errs, m.stop())
	}
	return errors.Join(errs...)
}

// close stops and closes all nodes.
func (s *stage) close() error {
	errs := []error{s.stop()}
	for _, m := range s.members {
		errs = append(errs, m.Close())
	}
	s.members = nil
	return errors.Join(errs...)
}
