package node_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// freePort is a port that nobody uses, below those that the system gives to whoever calls
// out: else a connection could take it while its node is down.
func freePort(t *testing.T) int {
	t.Helper()
	for range 1000 {
		port := 12_000 + rand.IntN(20_000)
		address := fmt.Sprintf("127.0.0.1:%d", port)
		stream, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		packets, err := net.ListenPacket("udp", address)
		if err = errors.Join(err, stream.Close()); err == nil && packets.Close() == nil {
			return port
		}
	}
	t.Fatal("there is no free port")
	return 0
}
