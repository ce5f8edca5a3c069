package status

import (
	"testing"
)

func TestWhereTheRunningOneIsAsked(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		"127.0.0.1:8484": "127.0.0.1:8484", ":8484": "localhost:8484", "0.0.0.0:8484": "localhost:8484", "[::]:8484": "localhost:8484",
		"ops.internal:80": "ops.internal:80", "127.0.0.1:0": "", "": "",
	} {
		if got, err := askedAddr(addr); got != want || (err == nil) != (want != "") {
			t.Errorf("%s is asked at %q, %v", addr, got, err)
		}
	}
}
