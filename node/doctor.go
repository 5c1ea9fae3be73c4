package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"entente/node/keys"
	"entente/node/rounds"
	"entente/node/store"
	"entente/protocol/entry"
	"entente/protocol/indicator"
	"entente/protocol/round"
	"entente/protocol/wire"
)

// Symptom is one thing that doctor looked at.
type Symptom struct {
	Subject string `json:"subject"`
	OK      bool   `json:"ok"`
	Text    string `json:"text"`             // what was found
	Remedy  string `json:"remedy,omitempty"` // what to do about it
}

// leastDisk is the free space below which an import or backup may fail.
const leastDisk = 1 << 30 // bytes

// Doctor looks at what keeps a node from working and says what to do about it.
func (n *Node) Doctor(ctx context.Context) []Symptom {
	out := []Symptom{n.checkVersions(), n.checkClock(ctx), n.checkDisk(), n.checkKeys(ctx), n.checkAudit(ctx), n.checkRules()}
	out = append(out, n.checkPorts()...)
	out = append(out, n.checkLedger(ctx)...)
	out = append(out, n.checkStanding(ctx)...)
	return append(out, n.checkPartners(ctx)...)
}

func (n *Node) checkVersions() Symptom {
	kinds := []string{}
	for _, k := range indicator.Kinds() {
		kinds = append(kinds, fmt.Sprintf("%s %d", k, k.Version()))
	}
	return Symptom{Subject: "versions", OK: true, Text: fmt.Sprintf(
		"program %s, round protocol %d, canonical forms: %s", n.o.Version, round.Version, strings.Join(kinds, ", "))}
}

// checkLedger tells how the ledger stands, if there is one.
func (n *Node) checkLedger(ctx context.Context) []Symptom {
	l := n.ledger.Load()
	if l == nil {
		return nil
	}
	f := Symptom{Subject: "ledger", OK: true}
	v, err := l.Standing(ctx)
	if err != nil {
		return []Symptom{failed(f, err, "Look at the error; if the copy is damaged, stop the node and move its ledger folder away: it comes back from the others.")}
	}
	f.Text = fmt.Sprintf("%d entries, %d of them final", v.Entries, v.Final)
	for _, wrong := range [][]string{v.Alarms, v.Remedy} {
		if len(wrong) > 0 {
			return []Symptom{failed(f, errors.New(wrong[0]), "See all of it with: entente ledger status")}
		}
	}
	return []Symptom{f}
}

// checkClock compares the clock with the newest entry, which a good clock is never
// before. Partners' clocks are compared when they are reached.
func (n *Node) checkClock(ctx context.Context) Symptom {
	f := Symptom{Subject: "clock", OK: true, Text: time.Now().UTC().Format(time.RFC3339)}
	var head entry.Head
	err := n.store.View(ctx, func(tx *store.Tx) (err error) {
		head, err = tx.Head(entry.Local)
		return err
	})
	switch {
	case err != nil:
		return failed(f, err, "Look at the store's error; restore a backup if the file is damaged.")
	case time.Now().UnixMilli() < head.Time-int64(time.Minute/time.Millisecond):
		return failed(f, errors.New("the clock is earlier than the newest entry of the own log"),
			"Set the clock, best from a time server: partners refuse a node that is five minutes off.")
	}
	return f
}

func (n *Node) checkDisk() Symptom {
	f := Symptom{Subject: "disk", OK: true}
	free, err := freeSpace(n.dir)
	if err != nil {
		return failed(f, err, "Check that the node's directory is on a working disk.")
	}
	f.Text = fmt.Sprintf("%.1f GB free", float64(free)/1e9)
	if free < leastDisk {
		return failed(f, errors.New(f.Text), "Free at least 1 GB: imports and backups need room.")
	}
	return f
}

func (n *Node) checkKeys(ctx context.Context) Symptom {
	f := Symptom{Subject: "keys", OK: true, Text: "they open"}
	u, err := keys.ParseUnlock(n.config.Keys.Unlock, n.config.Keys.UnlockFrom)
	if err != nil {
		return failed(f, err, "Correct [keys] in entente.toml.")
	}
	if w := u.Warnings(n.dir); len(w) > 0 {
		f.Text, f.Remedy = strings.Join(w, "; "), "Good enough for trials. For real data give a passphrase file or a systemd credential."
	}
	if n.next.Load() != nil && n.handedOver(ctx) {
		f.Text += "; new ones take their place once that is final in the ledger"
	}
	return f
}

func (n *Node) checkAudit(ctx context.Context) Symptom {
	f := Symptom{Subject: "audit folder", OK: true, Text: "up to date"}
	if err := n.Mirror(ctx); err != nil {
		return failed(f, err, "Keep a copy of the folder as it is for the auditor, then move it away: it is rebuilt from the store.")
	}
	return f
}

func (n *Node) checkRules() Symptom {
	b := n.Rules()
	d := b.Digest()
	f := Symptom{Subject: "rules", OK: true, Text: fmt.Sprintf("version %d, digest %x", b.Version(), d[:8])}
	if b.Version() <= 1 && len(b.Warnings()) == 0 {
		f.Text += "; see what they open with: entente policy explain"
	}
	return f
}

// checkStanding looks for standing rounds that stand still.
func (n *Node) checkStanding(ctx context.Context) []Symptom {
	views, err := n.lasting.List(ctx)
	if err != nil {
		return []Symptom{failed(Symptom{Subject: "standing rounds"}, err, "Look at the store's error; restore a backup if the file is damaged.")}
	}
	out := []Symptom{}
	for _, v := range views {
		f := Symptom{Subject: "standing round with " + v.Partner, OK: true}
		switch {
		case v.Broke:
			f = failed(f, errors.New(v.Note), "Ask the partner by telephone. Then: entente round resume "+v.ID+", or entente round end.")
		case v.State == "paused":
			f.Text, f.Remedy = "paused: "+v.Note, "To go on: entente round resume "+v.ID
		default:
			continue
		}
		out = append(out, f)
	}
	return out
}

// checkPorts tells whether the node listens, or could.
func (n *Node) checkPorts() []Symptom {
	if n.channel.Load() != nil {
		f := Symptom{Subject: "ports", OK: true, Text: "serving on " + strings.Join(n.Serving(), ", ")}
		if len(n.Serving()) == 0 {
			f.Text = "serving, but listening nowhere: this node can call partners, and none can call it"
		}
		return []Symptom{f}
	}
	out := []Symptom{}
	for _, a := range n.config.Network.Listen {
		f := Symptom{Subject: "port " + a, OK: true, Text: "free; the daemon is not running"}
		if err := tryPort(a); err != nil {
			f = failed(f, err, "Stop what uses the port, or choose another in entente.toml (and tell the federation: the roster names it).")
		}
		out = append(out, f)
	}
	if a := n.config.Metrics.Listen; a != "" {
		f := Symptom{Subject: "metrics " + a, OK: true, Text: "free; the daemon is not running"}
		if err := tryListen(a); err != nil {
			f = failed(f, err, "Stop what uses the port, or choose another for metrics.listen in entente.toml.")
		}
		out = append(out, f)
	}
	return out
}

// tryPort opens and closes the port of a multiaddress such as
// /ip4/127.0.0.1/tcp/7101 or /ip4/127.0.0.1/udp/7101/quic-v1.
func tryPort(address string) error {
	p := strings.Split(address, "/")
	if len(p) < 5 {
		return errors.New("the address is not a multiaddress")
	}
	if p[3] == "udp" {
		c, err := net.ListenPacket("udp", net.JoinHostPort(p[2], p[4]))
		if err != nil {
			return err
		}
		return c.Close()
	}
	return tryListen(net.JoinHostPort(p[2], p[4]))
}

func tryListen(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return l.Close()
}

// checkPartners greets every partner that is not stopped.
func (n *Node) checkPartners(ctx context.Context) []Symptom {
	f := n.joined.Load()
	if err := n.stale(ctx); err != nil {
		return []Symptom{failed(Symptom{Subject: "federation"}, err,
			"Ask a partner for the newest roster with all signature files, compare its words, stop the daemon, then: entente federation join")}
	}
	if f == nil {
		return []Symptom{{Subject: "federation", Text: "none joined",
			Remedy: "Sign the roster with: entente federation sign, collect all members' signature files beside it, then: entente federation join"}}
	}
	stopped, err := n.stopped(ctx)
	if err != nil {
		return []Symptom{failed(Symptom{Subject: "partners"}, err, "Look at the store's error.")}
	}
	out := []Symptom{}
	for _, p := range f.Partners() {
		one := Symptom{Subject: "partner " + p.ID, OK: true, Text: "reached; same roster, same version, clocks agree"}
		switch {
		case stopped[p.ID]:
			one.Text = "stopped by this node"
		default:
			one = n.greet(ctx, one, p.ID)
		}
		out = append(out, one)
	}
	return out
}

func (n *Node) greet(ctx context.Context, f Symptom, id string) Symptom {
	if n.channel.Load() == nil {
		f.Text = "not tried: the daemon is not running"
		return f
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	err := n.rounds.Greet(ctx, id)
	var broke *wire.ProtocolError
	var said *wire.PeerError
	code := wire.Code(0)
	switch {
	case err == nil:
		return f
	case errors.As(err, &broke):
		code = broke.Code
	case errors.As(err, &said):
		code = said.Code
	}
	switch code {
	case wire.Clock:
		return failed(f, err, "Compare both clocks with a time server.")
	case wire.OtherRoster:
		return failed(f, err, "Compare the roster's words by telephone; one side has to join the newer roster.")
	case wire.UnsupportedVersion:
		return failed(f, err, "One side has to update its program.")
	}
	if errors.Is(err, rounds.ErrUnknownPartner) {
		return failed(f, err, "Join the roster that names the partner.")
	}
	return failed(f, err, "Check the partner's address in the roster, firewalls on the way, and that its daemon runs and has joined the same roster.")
}

func failed(f Symptom, err error, remedy string) Symptom {
	f.OK, f.Text, f.Remedy = false, err.Error(), remedy
	return f
}
