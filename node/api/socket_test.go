package api_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"entente/node"
	"entente/node/api"
	"entente/node/config"
	"entente/node/intake"
	"entente/node/rounds"
)

func TestSocketIsTheOwnersAlone(t *testing.T) {
	dir, _ := joined(t)
	n, stop := daemon(t, dir)
	socket, err := n.Config().ControlSocket(dir)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(socket)
	if err != nil || info.Mode().Type() != fs.ModeSocket || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket is %v: %v", info, err)
	}
	stop()
	if _, err := os.Lstat(socket); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is left behind: %v", err)
	}
}

func TestDeadSocketIsReplaced(t *testing.T) {
	dir, _ := joined(t)
	socket := filepath.Join(dir, "control.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false) // as if the process had been killed
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, stop := daemon(t, dir)
	var status api.Status
	if err := dial(t, dir, true).Get(t.Context(), "/status", &status); err != nil || status.ID != "AU" {
		t.Errorf("status %+v: %v", status, err)
	}
	stop()
}

func TestWhatIsNoSocketStays(t *testing.T) {
	dir, _ := joined(t)
	n, err := node.Open(t.Context(), dir, node.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}()
	socket := filepath.Join(dir, "control.sock")
	for _, place := range []func() error{
		func() error { return os.WriteFile(socket, []byte("kept"), 0o600) },
		func() error { return os.Symlink(filepath.Join(dir, "store.db"), socket) },
		func() error { return os.Mkdir(socket, 0o700) },
	} {
		if err := place(); err != nil {
			t.Fatal(err)
		}
		before, err := os.Lstat(socket)
		if err != nil {
			t.Fatal(err)
		}
		if l, err := api.Listen(t.Context(), n); err == nil {
			t.Errorf("a socket was opened in place of %v: %v", before.Mode(), l.Close())
		} else if !strings.Contains(err.Error(), "no socket lies at its place") {
			t.Errorf("the error does not say what is wrong: %v", err)
		}
		if after, err := os.Lstat(socket); err != nil || !os.SameFile(before, after) {
			t.Errorf("what lay there is gone: %v", err)
		}
		if err := os.Remove(socket); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLongDirectory(t *testing.T) {
	t.Setenv("TMPDIR", shortFolder(t))
	short, _ := joined(t)
	long := filepath.Join(t.TempDir(), strings.Repeat("long-name-of-a-folder-", 6))
	if err := os.Rename(short, long); err != nil {
		t.Fatal(err)
	}
	_, stop := daemon(t, long)
	var status api.Status
	if err := dial(t, long, true).Get(t.Context(), "/status", &status); err != nil || status.ID != "AU" {
		t.Errorf("status %+v: %v", status, err)
	}
	stop()
	t.Setenv("TMPDIR", long) // now neither place is short enough
	if c, err := api.Dial(t.Context(), long, node.Options{}); err == nil {
		t.Errorf("a socket with so long a path was found: %v", c.Close())
	} else if !strings.Contains(err.Error(), "control.socket") {
		t.Errorf("the error does not say what to do: %v", err)
	}
}

// shortFolder is a temporary folder whose name leaves room for a socket's.
func shortFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "e")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	return folder
}

func TestDialWithoutNode(t *testing.T) {
	if c, err := api.Dial(t.Context(), t.TempDir(), node.Options{}); err == nil {
		t.Errorf("there is a node in an empty directory: %v", c.Close())
	}
	dir, _ := joined(t)
	c := dial(t, dir, false) // holds the directory
	if again, err := api.Dial(t.Context(), dir, node.Options{}); err == nil {
		t.Errorf("two processes hold one directory: %v", again.Close())
	}
	if err := c.Get(t.Context(), "/status", nil); err != nil {
		t.Error(err)
	}
}

func TestConcurrentRequests(t *testing.T) {
	both(t, func(t *testing.T, c *api.Client, dir, roster string) {
		operations(t, c, dir, roster)
		ctx := t.Context()
		var all sync.WaitGroup
		for i := range 24 {
			all.Go(func() {
				var err error
				switch i % 4 {
				case 0:
					err = c.Post(ctx, "/rounds/plan", request("both", "which"), &rounds.Plan{})
				case 1:
					err = c.Get(ctx, "/rounds", &[]rounds.View{})
				case 2:
					err = c.Upload(ctx, "/lists/wanted/import", importQuery("dry_run", "true"), strings.NewReader(phones), &intake.Report{})
				case 3:
					err = c.Post(ctx, "/audit", nil, &api.File{})
				}
				if err != nil {
					t.Errorf("request %d: %v", i, err)
				}
			})
		}
		all.Wait()
	})
}

// rows gives rows without end; begun is closed once some were read.
type rows struct {
	read  int
	begun chan struct{}
}

func (r *rows) Read(p []byte) (int, error) {
	if r.read++; r.read == 20 {
		close(r.begun)
	}
	if r.read == 1 {
		return copy(p, "phone\n"), nil
	}
	return copy(p, "0491570157\n0491570158\n"), nil // whole rows, unless p is tiny
}

// breakOff sends one file whose source fails and one that the client gives up.
func breakOff(t *testing.T, c *api.Client) {
	t.Helper()
	failing := io.MultiReader(strings.NewReader("phone\n"+strings.Repeat("0491570157\n", 1000)), broken{})
	if err := c.Upload(t.Context(), "/lists/other/import", importQuery(), failing, nil); err == nil {
		t.Error("a file that broke off was imported")
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	file := &rows{begun: make(chan struct{})}
	go func() {
		<-file.begun
		cancel()
	}()
	if err := c.Upload(ctx, "/lists/wanted/import", importQuery(), file, nil); err == nil {
		t.Error("a file that was given up was imported")
	}
}

// Of a file that is broken off nothing stays, neither rows nor the list.
func TestImportBrokenOff(t *testing.T) {
	dir, _ := joined(t)
	c := dial(t, dir, false)
	breakOff(t, c)
	lists := []api.List{{}}
	if err := c.Get(t.Context(), "/lists", &lists); err != nil || len(lists) != 0 {
		t.Errorf("lists are %v: %v", lists, err)
	}
}

func TestImportBrokenOffAtDaemon(t *testing.T) {
	dir, _ := joined(t)
	n, stop := daemon(t, dir)
	breakOff(t, dial(t, dir, true))
	stop() // waits for the handlers
	lists, err := n.Lists(t.Context())
	if err != nil || len(lists) != 0 {
		t.Errorf("lists are %v: %v", lists, err)
	}
}

// broken fails as a disk does.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the disk failed") }

func TestControlSocketOfSettings(t *testing.T) {
	dir, _ := joined(t)
	short := filepath.Join(shortFolder(t), "own.sock")
	file := filepath.Join(dir, config.File)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(b), `socket = "control.sock"`, `socket = "`+short+`"`, 1)
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	daemon(t, dir)
	if _, err := os.Lstat(short); err != nil {
		t.Error(err)
	}
	dial(t, dir, true)
}
