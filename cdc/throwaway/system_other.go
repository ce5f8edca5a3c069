//go:build !linux

package throwaway

import "syscall"

// memory has no equivalent here.
func memory(Options) string { return "" }

// endWithParent has no equivalent here: a server whose parent is killed keeps running.
func endWithParent(*syscall.SysProcAttr) {}
