package reader

import (
	"fmt"

	"github.com/ebfe/scard"
)

// List returns the names of all readers, in pcscd's order. An empty list is no
// error. List fails if no PC/SC service answers.
func List() ([]string, error) {
	pcsc, err := scard.EstablishContext()
	if err != nil {
		return nil, fmt.Errorf("no PC/SC service answers (%w)", err)
	}
	defer pcsc.Release()
	return listReaders(pcsc)
}
