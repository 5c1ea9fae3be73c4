package config

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"entente/protocol/roster"
)

// Limits of single settings.
const (
	maxAddresses = 8   // multiaddresses in one list, as a roster admits
	maxAddress   = 128 // bytes of one
	maxRounds    = 64
	minIdle      = 5 * time.Second
	maxIdle      = time.Hour
	minPatience  = time.Hour
	maxPatience  = 30 * 24 * time.Hour
)

// Validate reports every setting that is out of range, by its key. What an address must
// look like in full is checked where it is used.
func (c Config) Validate() error {
	var errs []error
	wrong := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	}
	if c.Member.ID == "" {
		wrong("member.id", "is missing")
	} else if err := roster.CheckID(c.Member.ID); err != nil {
		wrong("member.id", "%v", err)
	}
	if !slices.Contains([]string{"state", "organisation", "ngo", "observer"}, c.Member.Role) {
		wrong("member.role", "must be state, organisation, ngo or observer")
	}
	for _, list := range []struct {
		key       string
		addresses []string
	}{{"network.listen", c.Network.Listen}, {"network.announce", c.Network.Announce}} {
		if len(list.addresses) > maxAddresses {
			wrong(list.key, "has more than %d addresses", maxAddresses)
		}
		for i, a := range list.addresses {
			if !strings.HasPrefix(a, "/") || len(a) > maxAddress {
				wrong(list.key, `address %d must look like "/ip4/192.0.2.1/tcp/7101"`, i+1)
			}
		}
	}
	if d := c.IdleTimeout(); d < minIdle || d > maxIdle {
		wrong("network.idle_timeout", "must be between %s and %s", minIdle, maxIdle)
	}
	if c.Control.Socket == "" || strings.ContainsRune(c.Control.Socket, 0) {
		wrong("control.socket", "must be a path")
	}
	if !slices.Contains([]string{"", "key-file", "passphrase-file", "credential"}, c.Keys.Unlock) {
		wrong("keys.unlock", "must be key-file, passphrase-file, credential or empty")
	}
	if (c.Keys.Unlock == "") != (c.Keys.UnlockFrom == "") {
		wrong("keys.unlock_from", "goes with keys.unlock: set both or none")
	}
	if c.Limits.Rounds < 1 || c.Limits.Rounds > maxRounds {
		wrong("limits.rounds", "must be between 1 and %d", maxRounds)
	}
	if d := time.Duration(c.Ledger.Patience); d < minPatience || d > maxPatience {
		wrong("ledger.patience", "must be between %s and %s", minPatience, maxPatience)
	}
	if c.Metrics.Listen != "" {
		at, err := netip.ParseAddrPort(c.Metrics.Listen)
		switch {
		case err != nil:
			wrong("metrics.listen", `must look like "127.0.0.1:9464"`)
		case !at.Addr().IsLoopback() && !c.Metrics.AllowRemote:
			wrong("metrics.listen", "other machines can reach this address; use one of 127.0.0.1 or [::1], or set metrics.allow_remote = true")
		}
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		wrong("log.level", "must be debug, info, warn or error")
	}
	return errors.Join(errs...)
}
