//go:build !linux

package throwaway

// memory has no equivalent here.
func memory(Options) string { return "" }
