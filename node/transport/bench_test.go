package transport_test

import (
	"io"
	"testing"

	"entente/node/transport"
)

// BenchmarkBulk sends one way, 64 KiB a Write, both ends in this process.
func BenchmarkBulk(b *testing.B) {
	for name, listen := range map[string]string{"tcp": tcpAny, "quic": quicAny} {
		b.Run(name, func(b *testing.B) {
			from, to := pair(b, listen, transport.Options{})
			to.Handle("/entente/test-swallow/1", swallow)
			s, err := from.Open(b.Context(), "BE", "/entente/test-swallow/1")
			if err != nil {
				b.Fatal(err)
			}
			piece := make([]byte, 64<<10)
			b.SetBytes(int64(len(piece)))
			for b.Loop() {
				if _, err := s.Write(piece); err != nil {
					b.Fatal(err)
				}
			}
			if err := s.CloseWrite(); err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadAll(s); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkOpen opens and closes streams on one connection.
func BenchmarkOpen(b *testing.B) {
	for name, listen := range map[string]string{"tcp": tcpAny, "quic": quicAny} {
		b.Run(name, func(b *testing.B) {
			from, _ := pair(b, listen, transport.Options{StreamsPerMember: 64})
			for b.Loop() {
				exchange(b, from, "BE", 100)
			}
		})
	}
}
