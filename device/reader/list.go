package reader

import (
	"fmt"

	"github.com/ebfe/scard"
)

// List names the readers there are, in pcscd's order. None is no error; that
// there is no PC/SC service is one.
func List() ([]string, error) {
	pcsc, err := scard.EstablishContext()
	if err != nil {
		return nil, fmt.Errorf("no PC/SC service answers (%w)", err)
	}
	defer pcsc.Release()
	return new(Reader).readers(pcsc)
}
