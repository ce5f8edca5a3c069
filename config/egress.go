package config

import (
	"fmt"
	"net/netip"
	"strings"
)

// Egress selects the addresses that hooks may have. It only holds the value; package
// dispatch/send checks addresses.
type Egress struct {
	Mode     EgressMode
	Networks []netip.Prefix // masked; at least one with EgressNetworks, otherwise none
}

// EgressMode is a rule for addresses.
type EgressMode string

// Rules for addresses.
const (
	EgressInternal EgressMode = "internal" // all but link-local, metadata, multicast and unspecified addresses
	EgressPublic   EgressMode = "public"   // also no private or loopback addresses
	EgressNetworks EgressMode = "networks" // only the addresses in Networks
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

// String returns the value in the form that UnmarshalText reads.
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
