package metrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// Bounds on readers.
const (
	requestTime = 5 * time.Second  // for a request
	answerTime  = 10 * time.Second // for a request and its answer
	idleTime    = 2 * time.Minute  // between requests: Prometheus usually asks every 15 to 60 seconds
	mostHeader  = 16 << 10         // bytes
	mostReaders = 16               // connections at once; more wait
)

// Listen opens the listener for Serve at an address such as "127.0.0.1:9464".
func Listen(ctx context.Context, address string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("open the port of the metrics: %w", err)
	}
	return l, nil
}

// Serve answers on a listener until ctx ends. Then it closes the listener, and returns once
// nobody is being answered any more: within requestTime or answerTime.
func Serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: requestTime, ReadTimeout: requestTime, WriteTimeout: answerTime, IdleTimeout: idleTime,
		MaxHeaderBytes: mostHeader,
		BaseContext:    func(net.Listener) context.Context { return ctx },
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelDebug), // what readers do wrong
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() { stopped <- server.Shutdown(context.WithoutCancel(ctx)) })
	err := server.Serve(netutil.LimitListener(l, mostReaders))
	if stop() { // it ended by itself
		return fmt.Errorf("serve metrics: %w", errors.Join(err, server.Close()))
	}
	return <-stopped
}
