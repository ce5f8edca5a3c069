package cdc

import "testing"

func TestIsSynchronous(t *testing.T) {
	for names, want := range map[string]bool{
		"": false, "standby_1": false, "FIRST 2 (a, b)": false, `ANY 1 ("my standby", hooktail_standby)`: false,
		"*": true, "FIRST 1 (a, *)": true, "ANY 1(*)": true, `2 ("*")`: true, "a,Hooktail": true, `"hooktail"`: true,
	} {
		if got := isSynchronous(names); got != want {
			t.Errorf("isSynchronous(%q) = %v", names, got)
		}
	}
}
