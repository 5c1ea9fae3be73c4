// Package config reads and writes entente.toml, the one file in which an operator
// sets a node up.
//
// The file is strict TOML 1.0: an unknown key, a key of a wrong type or a value out of
// range refuses the whole file with the line or key that is wrong, because a misspelt
// limit that is silently ignored is a limit that is not there. Every key has a default
// but the member's identity. Settings say where the node listens and what it may use;
// whom it talks to is the roster's business and what it shares the rules', so that
// whoever may edit this file can stop a node, but not make it share more. The keys:
//
//	[member]  id, name, role          as in the roster; changing them here changes nothing there
//	[network] listen, announce        where partners connect; does not admit anyone
//	          idle_timeout            how long a silent partner keeps a connection
//	[control] socket                  who may open this socket commands the node
//	[keys]    unlock, unlock_from     who can read that source can use the node's keys
//	[limits]  rounds                  rounds at once
//	[ledger]  patience                how long the ledger may stand still before rounds stop
//	[metrics] listen                  whoever reaches this port sees how the node does, and no list
//	          allow_remote            lets that be other machines than this one
//	[log]     level                   no level logs an indicator
package config

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// File is the name of the configuration in the node's directory.
const File = "entente.toml"

// maxSize bounds the file, in bytes.
const maxSize = 64 << 10

// Config is the content of entente.toml.
type Config struct {
	Member  Member  `toml:"member"`
	Network Network `toml:"network"`
	Control Control `toml:"control"`
	Keys    Keys    `toml:"keys"`
	Limits  Limits  `toml:"limits"`
	Ledger  Ledger  `toml:"ledger"`
	Metrics Metrics `toml:"metrics"`
	Log     Log     `toml:"log"`
}

// Member says who runs the node.
type Member struct {
	ID   string `toml:"id"`   // short name in the federation, such as "AU"
	Name string `toml:"name"` // for people
	Role string `toml:"role"` // state, organisation, ngo or observer
}

// Network says where partners reach the node.
type Network struct {
	Listen      []string `toml:"listen"`       // multiaddresses; an empty list: it only dials
	Announce    []string `toml:"announce"`     // what partners should dial, if not Listen (behind address translation)
	IdleTimeout Duration `toml:"idle_timeout"` // after so long without a byte a stream is cut
}

// Control says where the command line reaches a running node.
type Control struct {
	Socket string `toml:"socket"` // path of a unix socket; relative to the node's directory
}

// Keys says what unlocks the node's keys: see package keys.
type Keys struct {
	Unlock     string `toml:"unlock"`      // "" (keys/unlock), key-file, passphrase-file, credential
	UnlockFrom string `toml:"unlock_from"` // path, or name of the credential
}

// Limits bound what partners can make the node do.
type Limits struct {
	Rounds int `toml:"rounds"` // match rounds that run at once; more wait
}

// Ledger says what this node expects of the common ledger, if its federation keeps one.
type Ledger struct {
	// Patience is how long an own entry may wait to become final before this node begins no
	// new rounds: what nobody can account for must not go on.
	Patience Duration `toml:"patience"`
}

// Metrics says where Prometheus may ask how the node does.
type Metrics struct {
	Listen string `toml:"listen"` // address and port such as "127.0.0.1:9464"; "": nowhere
	// AllowRemote admits addresses that other machines can reach. What is read there is
	// neither encrypted nor kept from anyone.
	AllowRemote bool `toml:"allow_remote"`
}

// Log says how much the node tells.
type Log struct {
	Level string `toml:"level"` // debug, info, warn or error
}

// Duration is a time span written as "90s" or "2m30s".
type Duration time.Duration

// UnmarshalText reads a time span.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil {
		return errors.New(`a time span must be written like "90s" or "2m30s"`)
	}
	*d = Duration(v)
	return nil
}

// MarshalText writes a time span.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// Default returns the settings of a new node. It still needs a member.
func Default() Config {
	return Config{
		Network: Network{Listen: []string{}, Announce: []string{}, IdleTimeout: Duration(2 * time.Minute)},
		Control: Control{Socket: "control.sock"},
		Limits:  Limits{Rounds: 4},
		Ledger:  Ledger{Patience: Duration(72 * time.Hour)},
		Log:     Log{Level: "info"},
	}
}

// Parse reads a configuration strictly; what it does not set keeps its default.
func Parse(b []byte) (Config, error) {
	c := Default()
	if len(b) > maxSize {
		return Config{}, fmt.Errorf("parse %s: it has more than %d bytes", File, maxSize)
	}
	meta, err := toml.NewDecoder(bytes.NewReader(b)).Decode(&c)
	if err != nil {
		return Config{}, fmt.Errorf("parse %s: %w", File, err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		names := make([]string, len(unknown))
		for i, k := range unknown {
			names[i] = k.String()
		}
		return Config{}, fmt.Errorf("parse %s: unknown keys: %s", File, strings.Join(names, ", "))
	}
	if err := c.Validate(); err != nil {
		return Config{}, fmt.Errorf("parse %s: %w", File, err)
	}
	return c, nil
}

// Load reads the configuration of the node in dir.
func Load(dir string) (Config, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	b, err := root.ReadFile(File)
	if err := errors.Join(err, root.Close()); err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	return Parse(b)
}

// LogLevel returns the level for the logger.
func (c Config) LogLevel() slog.Level {
	var l slog.Level
	if err := l.UnmarshalText([]byte(c.Log.Level)); err != nil {
		return slog.LevelInfo // Validate admits no such level
	}
	return l
}

// IdleTimeout returns Network.IdleTimeout as the standard type.
func (c Config) IdleTimeout() time.Duration { return time.Duration(c.Network.IdleTimeout) }

// socketPath is the control socket's path as configured.
func (c Config) socketPath(dir string) string {
	if filepath.IsAbs(c.Control.Socket) {
		return c.Control.Socket
	}
	return filepath.Join(dir, c.Control.Socket)
}
