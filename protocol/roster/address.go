package roster

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// CheckAddress admits the addresses under which a member can be dialled:
//
//	/ip4/A/tcp/P    /ip4/A/udp/P/quic-v1
//	/ip6/A/tcp/P    /ip6/A/udp/P/quic-v1
//	/dns/N/tcp/P    /dns/N/udp/P/quic-v1    (also dns4, dns6)
//
// in their one canonical spelling. Everything else that the address format of the
// transport could say (relays, web sockets, peer IDs) is refused, since the roster
// alone binds an address to a member.
func CheckAddress(a string) error {
	if len(a) > MaxAddressLength {
		return fmt.Errorf("has %d bytes, at most %d", len(a), MaxAddressLength)
	}
	parts := strings.Split(a, "/")
	if len(parts) < 5 || parts[0] != "" {
		return errors.New("must look like /ip4/192.0.2.1/tcp/7101")
	}
	if err := checkHost(parts[1], parts[2]); err != nil {
		return err
	}
	if err := checkPort(parts[4]); err != nil {
		return err
	}
	tail := strings.Join(parts[5:], "/")
	switch {
	case parts[3] == "tcp" && len(parts) == 5:
		return nil
	case parts[3] == "udp" && len(parts) == 6 && tail == "quic-v1":
		return nil
	}
	return errors.New("must end in /tcp/PORT or /udp/PORT/quic-v1")
}

func checkHost(kind, host string) error {
	switch kind {
	case "ip4", "ip6":
		ip, err := netip.ParseAddr(host)
		if err != nil || ip.Zone() != "" || ip.String() != host || ip.Is4() != (kind == "ip4") || ip.Is4In6() {
			return fmt.Errorf("is not an %s address in its usual spelling", kind)
		}
		if ip.IsUnspecified() || ip.IsMulticast() {
			return errors.New("names no single machine that others can dial")
		}
		return nil
	case "dns", "dns4", "dns6":
		return checkDNS(host)
	}
	return errors.New("must begin with /ip4, /ip6, /dns, /dns4 or /dns6")
}

func checkDNS(host string) error {
	if len(host) > 100 {
		return errors.New("host name is longer than 100 characters")
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return errors.New("host name has an empty, too long or hyphen-edged part")
		}
		for i := range len(label) {
			c := label[i]
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return errors.New("host name may hold a-z, 0-9, hyphens and dots")
			}
		}
	}
	return nil
}

func checkPort(s string) error {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != s {
		return errors.New("port must be a number from 1 to 65535")
	}
	return nil
}
