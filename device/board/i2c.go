package board

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2creg"

	"smartkiosk/device/i2cbus"
)

// OpenI2C opens a bus by its name in periph's register, where a driver other than
// Linux's may have registered it, or else by its device file.
func OpenI2C(bus string) (i2c.BusCloser, error) {
	if slices.ContainsFunc(i2creg.All(), func(r *i2creg.Ref) bool { return r.Name == bus }) {
		return i2creg.Open(bus)
	}
	b, err := i2cbus.Open(bus)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%w: on a Pi, config.txt must have dtparam=i2c_arm=on, and the module i2c-dev must be loaded", err)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("%w: is this program's user in the group i2c?", err)
	case err != nil:
		return nil, err
	}
	return b, nil
}
