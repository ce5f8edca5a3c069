package throwaway

import (
	"errors"
	"syscall"
)

// owner is always the own user here.
type owner struct{}

func findOwner() (*owner, error) {
	return nil, errors.New("a throwaway PostgreSQL needs Linux or macOS; hooktail itself runs on Windows against a database that exists")
}

func (o *owner) give(string) error { return nil }

func (o *owner) giveAll(string) error { return nil }

func (o *owner) attributes() *syscall.SysProcAttr { return nil }
