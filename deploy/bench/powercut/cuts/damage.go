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
	_, err := store.Salvage(path, time.Unix(0, 0), 0, func(seq uint64, _ store.Range, _ []byte) (record, link []byte, err error) {
		return nil, nil, fmt.Errorf("record %d was lost", seq)
	})
	return err
}

// lost is the stand-in for a lost record.
var lost = []byte("lost")

// begin rebuilds an empty outbox. The stand-ins have the links of the lost
// records, so that the chain continues as if they were there.
func begin(path string, pending store.Range, made chain) error {
	all := expected{chain: made}
	_, err := store.Rebuild(path, time.Unix(0, 0), pending, func(seq uint64, _ store.Range, _ []byte) (record, link []byte, err error) {
		all.record(seq)
		return lost, all.link, nil
	})
	return err
}
