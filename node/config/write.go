package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/template"

	"github.com/BurntSushi/toml"
)

// form is the file that init writes: every key, with what it means and whom one
// trusts by setting it.
const form = `# Settings of an Entente node. Unknown keys are refused. Whoever may edit this file
# can stop the node or move its sockets; whom it talks to is set by the signed roster,
# and what it shares by the rules.

[member]
# Who runs the node. As in the roster: changing it here changes nothing there.
id = {{.Member.ID | text}}
name = {{.Member.Name | text}}
role = {{.Member.Role | text}} # state, organisation, ngo or observer

[network]
# Where partners connect. Only members of the roster get further than the handshake.
# Empty: this node only dials.
listen = {{.Network.Listen | texts}}
# Addresses that partners should dial instead, such as those of a gateway.
announce = {{.Network.Announce | texts}}
# A stream on which nothing moves for so long is cut; the round resumes later.
idle_timeout = {{.Network.IdleTimeout | span}}

[control]
# The unix socket of the command line. Whoever may open it commands the node.
socket = {{.Control.Socket | text}}

[keys]
# What unlocks the keys: "key-file", "passphrase-file" or "credential" (systemd), and its
# path or name. Empty: the file keys/unlock, which protects nothing against whoever
# copies this directory.
unlock = {{.Keys.Unlock | text}}
unlock_from = {{.Keys.UnlockFrom | text}}

[limits]
# Match rounds that run at once; more wait.
rounds = {{.Limits.Rounds}}

[ledger]
# If the federation keeps a common ledger: no new rounds begin while an own entry has
# waited so long to become final.
patience = {{.Ledger.Patience | span}}

[metrics]
# Where Prometheus may ask how the node does, such as "127.0.0.1:9464". Whoever reaches the
# port can read it, unencrypted: states and numbers of rounds, the ledger, no list. Empty:
# nowhere.
listen = {{.Metrics.Listen | text}}
# Admits addresses that other machines can reach. Better: an agent on this machine.
allow_remote = {{.Metrics.AllowRemote}}

[log]
# debug, info, warn or error. No level logs an indicator.
level = {{.Log.Level | text}}
`

// Encode writes the configuration with a comment for each key. Parse reads it back.
func (c Config) Encode() ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("write %s: %w", File, err)
	}
	t, err := template.New(File).Funcs(template.FuncMap{
		"text":  text,
		"texts": texts,
		"span":  func(d Duration) (string, error) { b, err := d.MarshalText(); return `"` + string(b) + `"`, err },
	}).Parse(form)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", File, err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, c); err != nil {
		return nil, fmt.Errorf("write %s: %w", File, err)
	}
	return b.Bytes(), nil
}

// Create writes the configuration of a new node into dir, durably. It replaces none.
func Create(dir string, c Config) error {
	b, err := c.Encode()
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	defer func() { _ = root.Close() }() // read-only handle of a folder
	f, err := root.OpenFile(File, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}

// text writes a string as TOML does.
func text(s string) (string, error) {
	b, err := toml.Marshal(map[string]string{"x": s})
	return strings.TrimSpace(strings.TrimPrefix(string(b), "x = ")), err
}

func texts(list []string) (string, error) {
	b, err := toml.Marshal(map[string][]string{"x": append([]string{}, list...)})
	return strings.TrimSpace(strings.TrimPrefix(string(b), "x = ")), err
}
