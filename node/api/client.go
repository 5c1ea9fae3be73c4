package api

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"

	"entente/node"
	"entente/node/config"
)

// Client commands one node, through its daemon or in this process.
type Client struct {
	http  *http.Client
	close func() error
	// Daemon tells whether a daemon answers; otherwise the node is open here and
	// reaches no partner.
	Daemon bool
}

// Dial finds the daemon of the node in dir. If none runs, it opens the node in this
// process; the caller closes the client either way.
func Dial(ctx context.Context, dir string, o node.Options) (*Client, error) {
	c, err := config.Load(dir)
	if err != nil {
		return nil, err
	}
	socket, err := c.ControlSocket(dir)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", socket)
	if err == nil {
		return viaSocket(socket), conn.Close()
	}
	n, err := node.Open(ctx, dir, o)
	if err != nil {
		return nil, err
	}
	return &Client{http: client(inProcess{Handler(n)}), close: n.Close}, nil
}

func viaSocket(socket string) *Client {
	t := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}}
	return &Client{http: client(t), Daemon: true, close: func() error { t.CloseIdleConnections(); return nil }}
}

// client follows no redirection: the API has none, so one means a wrong path.
func client(t http.RoundTripper) *http.Client {
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Close ends the connection, or closes the node that was opened here.
func (c *Client) Close() error { return c.close() }

// inProcess hands requests to a handler without a socket.
type inProcess struct{ handler http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	a := &answer{header: http.Header{}, status: http.StatusOK}
	p.handler.ServeHTTP(a, r)
	return &http.Response{
		Status: http.StatusText(a.status), StatusCode: a.status, Header: a.header,
		Body: io.NopCloser(&a.body), ContentLength: int64(a.body.Len()), Request: r,
	}, nil
}

// answer collects what a handler says.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// Get reads the answer to a question into out.
func (c *Client) Get(ctx context.Context, path string, out any) error {
	return c.call(ctx, http.MethodGet, path, nil, out)
}

// Post sends a JSON body, which may be nil, and reads the answer into out, which may
// be nil.
func (c *Client) Post(ctx context.Context, path string, body, out any) error {
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		r = bytes.NewReader(b)
	}
	return c.call(ctx, http.MethodPost, path, r, out)
}

// Upload sends a file as it is read.
func (c *Client) Upload(ctx context.Context, path string, query url.Values, file io.Reader, out any) error {
	return c.call(ctx, http.MethodPost, path+"?"+query.Encode(), file, out)
}

// Delete asks for something to be erased.
func (c *Client) Delete(ctx context.Context, path string) error {
	return c.call(ctx, http.MethodDelete, path, nil, nil)
}

// maxAnswer bounds an answer, in bytes: a million hits fit.
const maxAnswer = 1 << 30

func (c *Client) call(ctx context.Context, method, path string, body io.Reader, out any) error {
	r, err := http.NewRequestWithContext(ctx, method, "http://node"+path, body)
	if err != nil {
		return fmt.Errorf("ask node: %w", err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	w, err := c.http.Do(r)
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err // the rest repeats the request
	}
	if err != nil {
		return fmt.Errorf("ask node: %w", err)
	}
	defer func() { _ = w.Body.Close() }() // it was read, or is of no more use
	d := json.NewDecoder(io.LimitReader(w.Body, maxAnswer))
	if w.StatusCode >= http.StatusMultipleChoices {
		var p Problem
		if err := d.Decode(&p); err != nil || p.Message == "" {
			return fmt.Errorf("ask node: it answered %s", w.Status)
		}
		return &p
	}
	if out == nil {
		return nil
	}
	if err := d.Decode(out); err != nil {
		return fmt.Errorf("read node's answer: %w", err)
	}
	return nil
}

// Listen opens the control socket of a node for its owner alone. A socket that a
// dead process left is replaced; the directory's lock keeps a live one safe.
func Listen(ctx context.Context, n *node.Node) (net.Listener, error) {
	socket, err := n.Config().ControlSocket(n.Dir())
	if err != nil {
		return nil, err
	}
	if err := removeSocket(socket); err != nil {
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	if err := restrict(socket); err != nil {
		return nil, errors.Join(fmt.Errorf("open control socket: %w", err), l.Close())
	}
	return l, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// columnMap reads field=header pairs.
func columnMap(pairs []string) (map[string]string, error) {
	m := map[string]string{}
	for _, p := range pairs {
		field, header, ok := strings.Cut(p, "=")
		if !ok || field == "" || header == "" {
			return nil, errors.New("a column is given as field=header, for example value=Telephone")
		}
		m[field] = header
	}
	return m, nil
}

func hexDigest(d [32]byte) string { return hex.EncodeToString(d[:]) }
