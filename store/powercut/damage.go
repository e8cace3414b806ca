package powercut

import (
	"errors"
	"fmt"
	"os"
	"time"

	"smartkiosk/store"
)

// damage overwrites both of bbolt's meta pages, so that nothing leads to
// anything any more, but no record is lost. No cut can undo it.
func damage(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(make([]byte, 2*4096), 0)
	return errors.Join(err, f.Sync(), f.Close())
}

// salvage salvages an outbox of which no record is lost. It is always the same
// time, as it is on a device without a clock that starts again after a cut.
func salvage(path string) error {
	_, err := store.Salvage(path, time.Unix(0, 0), 0, func(seq uint64, _ store.Range, _ []byte) (record, link []byte, err error) {
		return nil, nil, fmt.Errorf("record %d was lost", seq)
	})
	return err
}
