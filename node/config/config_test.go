package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

func example() Config {
	c := Default()
	c.Member = Member{ID: "AU", Name: `Australia "south"`, Role: "state"}
	c.Network.Listen = []string{"/ip4/127.0.0.1/tcp/7101", "/ip4/127.0.0.1/udp/7101/quic-v1"}
	return c
}

func TestEncodeParse(t *testing.T) {
	full := example()
	full.Network.Announce = []string{"/dns4/node.example/tcp/7101"}
	full.Network.IdleTimeout = Duration(90 * time.Second)
	full.Control.Socket = "/run/entente/control.sock"
	full.Keys = Keys{Unlock: "credential", UnlockFrom: "entente"}
	full.Limits.Rounds = 9
	full.Metrics = Metrics{Listen: "0.0.0.0:9464", AllowRemote: true}
	full.Log.Level = "debug"
	quiet := example()
	quiet.Network.Listen = []string{}
	quiet.Member.Name = ""
	quiet.Metrics.Listen = "[::1]:9464"
	for name, c := range map[string]Config{"example": example(), "all set": full, "only dials": quiet} {
		b, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(b)
		if err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("%s: came back as %+v: %v", name, got, err)
		}
	}
}

// TestEveryKeyIsWritten finds each key of the type in the file that init writes, with
// a comment before or after it.
func TestEveryKeyIsWritten(t *testing.T) {
	b, err := example().Encode()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(b), "\n")
	for section := range reflect.TypeFor[Config]().Fields() {
		for field := range section.Type.Fields() {
			key := field.Tag.Get("toml") + " = "
			found := false
			for _, l := range lines {
				found = found || strings.HasPrefix(l, key)
			}
			if !found {
				t.Errorf("%s.%s is not written", section.Name, field.Name)
			}
		}
	}
}

func TestDefaults(t *testing.T) {
	c, err := Parse([]byte("[member]\nid = \"AU\"\nrole = \"ngo\"\n"))
	want := Default()
	want.Member = Member{ID: "AU", Role: "ngo"}
	if err != nil || !reflect.DeepEqual(c, want) {
		t.Errorf("parsed %+v: %v", c, err)
	}
	if c.LogLevel() != slog.LevelInfo || c.IdleTimeout() != 2*time.Minute {
		t.Errorf("level %v, timeout %v", c.LogLevel(), c.IdleTimeout())
	}
}

func TestParseRefuses(t *testing.T) {
	const good = "[member]\nid = \"AU\"\nrole = \"state\"\n"
	for name, c := range map[string]struct{ text, want string }{
		"no member":         {"", "member.id"},
		"no TOML":           {"member", ""},
		"unknown key":       {good + "[limits]\nround = 3\n", "limits.round"},
		"unknown section":   {good + "[limit]\nrounds = 3\n", "limit"},
		"wrong type":        {good + "[limits]\nrounds = \"3\"\n", "rounds"},
		"twice":             {good + "[limits]\nrounds = 3\nrounds = 4\n", "rounds"},
		"role":              {"[member]\nid = \"AU\"\nrole = \"king\"\n", "member.role"},
		"no rounds":         {good + "[limits]\nrounds = 0\n", "limits.rounds"},
		"many rounds":       {good + "[limits]\nrounds = 65\n", "limits.rounds"},
		"metrics, no port":  {good + "[metrics]\nlisten = \"127.0.0.1\"\n", "metrics.listen: must look like"},
		"metrics by name":   {good + "[metrics]\nlisten = \"localhost:9464\"\n", "metrics.listen: must look like"},
		"metrics for all":   {good + "[metrics]\nlisten = \"0.0.0.0:9464\"\n", "metrics.allow_remote"},
		"metrics elsewhere": {good + "[metrics]\nlisten = \"[2001:db8::1]:9464\"\n", "metrics.allow_remote"},
		"level":             {good + "[log]\nlevel = \"all\"\n", "log.level"},
		"span":              {good + "[network]\nidle_timeout = \"2\"\n", "time span"},
		"span too short":    {good + "[network]\nidle_timeout = \"4.9s\"\n", "network.idle_timeout"},
		"span too long":     {good + "[network]\nidle_timeout = \"61m\"\n", "network.idle_timeout"},
		"address":           {good + "[network]\nlisten = [\"127.0.0.1:7101\"]\n", "network.listen"},
		"many addresses":    {good + "[network]\nannounce = [" + strings.Repeat("\"/x\",", 9) + "]\n", "network.announce"},
		"long address":      {good + "[network]\nannounce = [\"/" + strings.Repeat("x", 128) + "\"]\n", "network.announce"},
		"no socket":         {good + "[control]\nsocket = \"\"\n", "control.socket"},
		"unlock":            {good + "[keys]\nunlock = \"tpm\"\nunlock_from = \"x\"\n", "keys.unlock"},
		"unlock from where": {good + "[keys]\nunlock = \"key-file\"\n", "keys.unlock_from"},
		"too long":          {good + strings.Repeat("#", maxSize), "bytes"},
	} {
		if _, err := Parse([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	bad := example()
	bad.Limits.Rounds = 0
	if _, err := bad.Encode(); err == nil {
		t.Error("wrote what it would not read")
	}
}

func TestCreateLoad(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before it is there: %v", err)
	}
	if err := Create(dir, example()); err != nil {
		t.Fatal(err)
	}
	if got, err := Load(dir); err != nil || !reflect.DeepEqual(got, example()) {
		t.Errorf("loaded %+v: %v", got, err)
	}
	if err := Create(dir, example()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over another: %v", err)
	}
}

func TestControlSocket(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	c := example()
	short := "/run/entente"
	if runtime.GOOS != "windows" {
		if got, err := c.ControlSocket(short); err != nil || got != "/run/entente/control.sock" {
			t.Errorf("short: %s: %v", got, err)
		}
		c.Control.Socket = "/run/other.sock"
		if got, err := c.ControlSocket(short); err != nil || got != "/run/other.sock" {
			t.Errorf("absolute: %s: %v", got, err)
		}
		c.Control.Socket = "control.sock"
	}
	root := t.TempDir()
	long := filepath.Join(root, strings.Repeat("x", 60), strings.Repeat("y", 60))
	if err := os.MkdirAll(long, 0o700); err != nil {
		t.Fatal(err)
	}
	got, err := c.ControlSocket(long)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) > maxSocket || strings.HasPrefix(got, root+"/x") {
		t.Fatalf("long: %s", got)
	}
	l, err := net.Listen("unix", got) // it works as a socket
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if again, err := c.ControlSocket(long + "/."); err != nil || again != got {
		t.Errorf("another name of the same: %s: %v", again, err)
	}
	if other, err := c.ControlSocket(long + "z"); err == nil && other == got {
		t.Error("two directories share a socket")
	}
	if runtime.GOOS == "windows" {
		return
	}
	if err := os.Chmod(filepath.Dir(got), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ControlSocket(long); err == nil {
		t.Error("took a folder that others can enter")
	}
	if err := errors.Join(os.Remove(filepath.Dir(got)), os.Symlink(root, filepath.Dir(got))); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ControlSocket(long); err == nil {
		t.Error("took a link in place of the folder")
	}
	t.Setenv("TMPDIR", long)
	if _, err := c.ControlSocket(long); err == nil {
		t.Error("made a path that is too long for a socket")
	}
}

func TestDuration(t *testing.T) {
	for _, d := range []Duration{0, Duration(time.Second), Duration(90 * time.Minute)} {
		b, err := d.MarshalText()
		var got Duration
		if err := errors.Join(err, got.UnmarshalText(b)); err != nil || got != d {
			t.Errorf("%v came back as %v: %v", time.Duration(d), time.Duration(got), err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("member={id='A',role='ngo'}"))
	f.Add([]byte("[member]\nid='A'\nrole='state'\n[network]\nlisten=['/x']\n"))
	f.Add([]byte("[limits]\nrounds=3"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse(b)
		if err != nil {
			return
		}
		out, err := c.Encode()
		if err != nil {
			t.Fatalf("cannot write what it read: %v", err)
		}
		again, err := Parse(out)
		if err != nil || fmt.Sprint(again) != fmt.Sprint(c) {
			t.Errorf("%v came back as %v: %v", c, again, err)
		}
	})
}
