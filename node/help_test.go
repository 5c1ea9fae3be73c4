package node_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"testing"
)

// freePorts are so many different ports that nobody uses, below those that the system gives to
// whoever calls out: else a connection could take one while its node is down. The stories of
// cmd/entente, which run at the same time, have a range of their own.
func freePorts(t *testing.T, n int) (ports []int) {
	t.Helper()
	var held []io.Closer // until all are found, lest one comes twice
	defer func() {
		for _, h := range held {
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		}
	}()
	for range 1000 {
		if len(ports) == n {
			return ports
		}
		port := 12_000 + rand.IntN(10_000)
		address := fmt.Sprintf("127.0.0.1:%d", port)
		stream, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		packets, err := net.ListenPacket("udp", address)
		if err != nil {
			if err := stream.Close(); err != nil {
				t.Error(err)
			}
			continue
		}
		ports, held = append(ports, port), append(held, stream, packets)
	}
	t.Fatal("there is no free port")
	return nil
}
