//go:build unix && !linux

package throwaway

import "syscall"

// endWithParent has no equivalent here: a server whose starter is killed stays.
func endWithParent(*syscall.SysProcAttr) {}
