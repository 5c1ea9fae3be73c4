package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"entente/node/transport"
	"entente/protocol/round"
	protocol "entente/protocol/standing"
)

// hurryTime is how often others are asked for news while new keys wait to be final: they turn
// this node's present transport key away as soon as they know.
const hurryTime = 3 * time.Second

// listen opens the channel with the transport key in force.
func (n *Node) listen() (*transport.Transport, error) {
	listen := n.config.Network.Listen
	if n.o.Listen != nil {
		listen = n.o.Listen
	}
	return transport.New(transport.Options{
		ID: n.ID(), Key: n.keys.Load().Transport().Private(), Listen: listen, Announce: n.config.Network.Announce,
		ListenPacket: n.o.ListenPacket, IdleTimeout: n.config.IdleTimeout(), Log: n.log,
	})
}

// serveOn registers what this node answers to.
func (n *Node) serveOn(t *transport.Transport) {
	t.Handle(round.Protocol, func(ctx context.Context, s *transport.Stream) { n.rounds.Serve(ctx, s) })
	t.Handle(protocol.Protocol, func(ctx context.Context, s *transport.Stream) { n.lasting.Serve(ctx, s) })
	n.serveLedger(t)
}

// followKeys has the channel t, and those after it, use the transport key in force, until ctx
// ends; then it closes what is open. An error says that the node can serve no more.
func (n *Node) followKeys(ctx context.Context, t *transport.Transport) error {
	key := n.keys.Load()
	defer n.closeHeir()
	tick := time.NewTicker(hurryTime)
	defer tick.Stop()
	for {
		if now := n.keys.Load(); now != key {
			n.closeHeir()
			if err := t.Close(); err != nil {
				n.log.Warn("close the channel of the old key", "error", err)
			}
			next, err := n.listen()
			if err != nil {
				return fmt.Errorf("serve with the new transport key: %w", err)
			}
			n.serveOn(next)
			key, t = now, next
			if err := n.use(ctx, func() { n.channel.Store(t) }); err != nil {
				return errors.Join(fmt.Errorf("serve with the new transport key: %w", err), t.Close())
			}
			n.log.Info("the channel uses the new transport key")
		}
		if next := n.next.Load(); next != nil && n.heir.Load() == nil && n.handedOver(ctx) {
			heir, err := transport.New(transport.Options{
				ID: n.ID(), Key: next.Transport().Private(), ListenPacket: n.o.ListenPacket, IdleTimeout: n.config.IdleTimeout(), Log: n.log,
			})
			if err == nil {
				err = n.use(ctx, func() { n.heir.Store(heir) })
			}
			if err != nil {
				return errors.Join(fmt.Errorf("call with the new transport key: %w", err), t.Close())
			}
		}
		select {
		case <-ctx.Done():
			return t.Close()
		case <-n.rekeyed:
		case <-tick.C:
			if l := n.ledger.Load(); l != nil && n.heir.Load() != nil {
				l.Hurry()
			}
		}
	}
}

// use puts a channel into use and tells it whom it may speak with.
func (n *Node) use(ctx context.Context, put func()) error {
	n.changing.Lock()
	defer n.changing.Unlock()
	put()
	return n.admit(ctx)
}

func (n *Node) closeHeir() {
	if heir := n.heir.Swap(nil); heir != nil {
		if err := heir.Close(); err != nil {
			n.log.Warn("close the channel of the new key", "error", err)
		}
	}
}

// openEither opens a stream of the ledger with the transport key in force, or with the one
// that is to follow it: who knows already that it has admits no other.
func (n *Node) openEither(ctx context.Context, member, protocol string) (*transport.Stream, error) {
	t := n.channel.Load()
	if t == nil {
		return nil, errors.New("the node does not serve")
	}
	s, err := t.Open(ctx, member, protocol)
	if heir := n.heir.Load(); err != nil && heir != nil && ctx.Err() == nil {
		if next, also := heir.Open(ctx, member, protocol); also == nil {
			return next, nil
		}
	}
	return s, err
}
