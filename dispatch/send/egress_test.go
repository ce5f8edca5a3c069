package send

import (
	"errors"
	"net"
	"testing"
)

func TestEgress(t *testing.T) {
	const list = "10.1.0.0/16, 192.0.2.7/32 2001:db8::/32"
	for _, tt := range []struct {
		address                string
		internal, public, only bool
	}{
		{"93.184.215.14", true, true, false},
		{"2606:2800:21f:cb07:6820:80da:af6b:8b2c", true, true, false},
		{"::ffff:93.184.215.14", true, true, false},
		{"127.0.0.1", true, false, false},
		{"127.255.255.254", true, false, false},
		{"::1", true, false, false},
		{"::ffff:127.0.0.1", true, false, false},
		{"10.0.0.1", true, false, false},
		{"10.1.2.3", true, false, true},
		{"::ffff:10.1.2.3", true, false, true},
		{"172.16.0.1", true, false, false},
		{"172.32.0.1", true, true, false},
		{"192.168.1.1", true, false, false},
		{"100.64.0.1", true, false, false},
		{"fd12:3456::1", true, false, false},
		{"192.0.2.7", false, false, true},
		{"2001:db8::1", false, false, true},
		{"169.254.169.254", false, false, false},
		{"::ffff:169.254.169.254", false, false, false},
		{"169.254.0.1", false, false, false},
		{"fe80::1", false, false, false},
		{"fe80::1%eth0", false, false, false},
		{"fec0::1", false, false, false},
		{"fd00:ec2::254", false, false, false},
		{"fd00:ec2::254%eth0", false, false, false},
		{"100.100.100.200", false, false, false},
		{"168.63.129.16", false, false, false},
		{"192.0.0.192", false, false, false},
		{"0.0.0.0", false, false, false},
		{"0.1.2.3", false, false, false},
		{"::", false, false, false},
		{"::ffff:0.0.0.0", false, false, false},
		{"::127.0.0.1", false, false, false},          // IPv4-compatible
		{"64:ff9b::93.184.215.14", true, true, false}, // NAT64
		{"64:ff9b::169.254.169.254", false, false, false},
		{"64:ff9b::168.63.129.16", false, false, false},
		{"64:ff9b::127.0.0.1", false, false, false},
		{"64:ff9b::10.1.2.3", true, false, false},
		{"64:ff9b::224.0.0.1", false, false, false},
		{"64:ff9b::0.0.0.0", false, false, false},
		{"64:ff9b:1::93.184.215.14", false, false, false}, // of a private NAT64
		{"2002:a9fe:a9fe::1", false, false, false},        // 6to4
		{"2001:0:a9fe:a9fe::1", false, false, false},      // Teredo
		{"224.0.0.1", false, false, false},
		{"239.255.255.250", false, false, false},
		{"ff02::1", false, false, false},
		{"255.255.255.255", false, false, false},
		{"240.0.0.1", false, false, false},
	} {
		for policy, want := range map[string]bool{"internal": tt.internal, "public": tt.public, list: tt.only} {
			t.Run(tt.address+" "+policy, func(t *testing.T) {
				err := mustEgress(t, policy).Control("tcp", net.JoinHostPort(tt.address, "80"), nil)
				if got := err == nil; got != want {
					t.Errorf("allowed: %v, want %v", got, want)
				}
				if err != nil && !errors.Is(err, ErrBlocked) {
					t.Errorf("error %v", err)
				}
			})
		}
	}
}

func TestParseEgressRefuses(t *testing.T) {
	for _, in := range []string{"", " ,", "private", "10.0.0.1", "10.0.0.0/33", "::ffff:10.0.0.0/104", "internal,10.0.0.0/8"} {
		if _, err := ParseEgress(in); err == nil {
			t.Errorf("%q is accepted", in)
		}
	}
}

func TestZeroEgressAllowsNothing(t *testing.T) {
	if err := (Egress{}).Control("tcp", "93.184.215.14:80", nil); !errors.Is(err, ErrBlocked) {
		t.Errorf("error %v", err)
	}
	if err := mustEgress(t, "internal").Control("unix", "/var/run/docker.sock", nil); !errors.Is(err, ErrBlocked) {
		t.Errorf("error %v", err)
	}
}
