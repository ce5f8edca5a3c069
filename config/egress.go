package config

import (
	"fmt"
	"net/netip"
	"strings"
)

// Egress selects the addresses that hooks may have: internal, public, or networks in their
// canonical form, separated by commas. Package dispatch/send checks addresses.
type Egress string

// UnmarshalText reads internal, public, or CIDRs separated by commas.
func (e *Egress) UnmarshalText(text []byte) error {
	if rule := Egress(text); rule == "internal" || rule == "public" {
		*e = rule
		return nil
	}
	var networks []string
	for i, entry := range strings.Split(string(text), ",") {
		network, err := netip.ParsePrefix(strings.TrimSpace(entry))
		if err != nil {
			return problem(fmt.Sprintf("has an invalid entry %d", i+1))
		}
		networks = append(networks, network.Masked().String())
	}
	*e = Egress(strings.Join(networks, ","))
	return nil
}
