package ordering

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// raftLogger has Raft log to log, in the words of the library: for its developers, so only
// where they ask for details. What an operator must know the ledger says in its own words.
func raftLogger(log *slog.Logger) hclog.Logger {
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Output: io.Discard, Level: hclog.Off})
	l.RegisterSink(sink{log})
	return l
}

type sink struct{ log *slog.Logger }

// Accept implements hclog.SinkAdapter.
func (s sink) Accept(_ string, level hclog.Level, text string, args ...any) {
	if !s.log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	attributes := []slog.Attr{slog.String("severity", level.String())}
	for i := 0; i+1 < len(args); i += 2 {
		attributes = append(attributes, slog.String(fmt.Sprint(args[i]), fmt.Sprint(args[i+1])))
	}
	s.log.LogAttrs(context.Background(), slog.LevelDebug, "raft: "+text, attributes...)
}
