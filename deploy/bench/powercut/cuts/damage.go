package cuts

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

// lost is the record that stands in for one that is nowhere any more.
var lost = []byte("lost")

// begin begins an outbox anew that is empty. Those that stand in for its
// records link as these did, so that the chain goes on as if they were there.
func begin(path string, pending store.Range, made chain) error {
	all := expected{chain: made}
	_, err := store.Rebuild(path, time.Unix(0, 0), pending, func(seq uint64, _ store.Range, _ []byte) (record, link []byte, err error) {
		all.record(seq)
		return lost, all.link, nil
	})
	return err
}
