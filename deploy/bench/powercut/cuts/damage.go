package cuts

import (
	"errors"
	"fmt"
	"os"
	"time"

	"smartkiosk/store"
)

// damage overwrites both meta pages of bbolt, so that no page can be reached, but
// no record is lost. A cut cannot undo the damage.
func damage(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(make([]byte, 2*4096), 0)
	return errors.Join(err, f.Sync(), f.Close())
}

// salvage salvages an outbox without a lost record. It always uses the same time,
// like a device without a clock that restarts after a cut.
func salvage(path string) error {
	salvaged, err := store.Salvage(path, time.Unix(0, 0))
	if err == nil && len(salvaged.Lost) > 0 {
		err = fmt.Errorf("the records %v were lost", salvaged.Lost)
	}
	return err
}
