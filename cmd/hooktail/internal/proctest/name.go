package proctest

import "runtime"

// name is the program's file name.
var name = map[bool]string{true: "hooktail.exe", false: "hooktail"}[runtime.GOOS == "windows"]
