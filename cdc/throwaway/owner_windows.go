package throwaway

import (
	"errors"
	"syscall"
)

// owner is always the current user here.
type owner struct{}

func findOwner() (*owner, error) {
	return nil, errors.New("a throwaway PostgreSQL needs Linux or macOS; hooktail itself runs on Windows with an existing database")
}

func (o *owner) give(string) error { return nil }

func (o *owner) giveAll(string) error { return nil }

func (o *owner) attributes() *syscall.SysProcAttr { return nil }
