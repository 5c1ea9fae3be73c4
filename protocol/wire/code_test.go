package wire

import (
	"errors"
	"strings"
	"testing"
)

// TestCodesKeepTheirNumbers freezes the table: a change here is a change of protocol.
func TestCodesKeepTheirNumbers(t *testing.T) {
	table := []struct {
		code   Code
		number uint16
		fault  Fault
	}{
		{NotAvailable, 1, Nobody}, {Malformed, 2, Peer}, {Unexpected, 3, Peer}, {UnsupportedVersion, 4, Nobody},
		{Expired, 5, Nobody}, {Replayed, 6, Peer}, {Altered, 7, Peer}, {AboveGrant, 8, Peer}, {TooLarge, 9, Peer},
		{BadPoint, 10, Peer}, {BadProof, 11, Peer}, {Busy, 12, Self}, {UnknownRound, 13, Nobody}, {Clock, 14, Nobody},
		{Quota, 15, Peer}, {Internal, 16, Self}, {Cancelled, 17, Self}, {Pending, 18, Nobody}, {Stalled, 19, Network},
		{OtherRoster, 20, Nobody},
	}
	seen := map[string]bool{}
	for _, c := range table {
		if uint16(c.code) != c.number || c.code.Fault() != c.fault {
			t.Errorf("%v: number %d, fault %v", c.code, c.code, c.code.Fault())
		}
		text := c.code.String()
		if seen[text] || strings.HasPrefix(text, "error ") {
			t.Errorf("code %d has no meaning of its own: %q", c.number, text)
		}
		seen[text] = true
	}
	for _, unknown := range []Code{0, Code(len(table) + 1), 65535} {
		if !strings.HasPrefix(unknown.String(), "error ") || unknown.Fault() != Nobody {
			t.Errorf("code %d has meaning %q, fault %v", uint16(unknown), unknown, unknown.Fault())
		}
	}
}

func TestPeersFaultIsTurnedRound(t *testing.T) {
	for code, want := range map[Code]Fault{
		Malformed: Self, Internal: Peer, Stalled: Network, NotAvailable: Nobody, 999: Nobody,
	} {
		if got := (&PeerError{code}).Fault(); got != want {
			t.Errorf("%v: %v, want %v", code, got, want)
		}
	}
	for f, want := range map[Fault]string{Nobody: "nobody", Self: "self", Peer: "peer", Network: "network", 9: "nobody"} {
		if f.String() != want {
			t.Errorf("fault %d is %q", f, f)
		}
	}
}

func TestErrorsCarryTheirReason(t *testing.T) {
	reason := errors.New("reason")
	err := error(&ProtocolError{BadProof, reason})
	if !errors.Is(err, reason) || !strings.Contains(err.Error(), "reason") || !strings.Contains(err.Error(), BadProof.String()) {
		t.Errorf("got %v", err)
	}
	for _, err := range []error{&ProtocolError{Code: BadProof}, &PeerError{BadProof}} {
		if !strings.Contains(err.Error(), BadProof.String()) {
			t.Errorf("got %v", err)
		}
	}
}
