package config

import (
	"fmt"
	"net/netip"
	"strings"
)

// Egress says which addresses hooks may have. Only the value is kept here; the
// check of an address is the sender's.
type Egress struct {
	Mode     EgressMode
	Networks []netip.Prefix // with EgressNetworks: at least one, masked; else none
}

// EgressMode is the rule that an address is held against.
type EgressMode string

// The rules for addresses.
const (
	EgressInternal EgressMode = "internal" // all but link-local, metadata, multicast and unspecified ones
	EgressPublic   EgressMode = "public"   // no private or loopback ones either
	EgressNetworks EgressMode = "networks" // those of Networks alone
)

// UnmarshalText reads internal, public, or CIDRs separated by commas.
func (e *Egress) UnmarshalText(text []byte) error {
	switch mode := EgressMode(text); mode {
	case EgressInternal, EgressPublic:
		*e = Egress{Mode: mode}
		return nil
	}
	parsed := Egress{Mode: EgressNetworks}
	for i, entry := range strings.Split(string(text), ",") {
		network, err := netip.ParsePrefix(strings.TrimSpace(entry))
		if err != nil {
			return problem(fmt.Sprintf("has an invalid entry %d", i+1))
		}
		parsed.Networks = append(parsed.Networks, network.Masked())
	}
	*e = parsed
	return nil
}

// String is the value in the form that UnmarshalText reads.
func (e Egress) String() string {
	if e.Mode != EgressNetworks {
		return string(e.Mode)
	}
	var entries []string
	for _, network := range e.Networks {
		entries = append(entries, network.String())
	}
	return strings.Join(entries, ",")
}
