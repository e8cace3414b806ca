package cuts

import (
	"fmt"
	"path/filepath"

	"smartkiosk/store"
)

// Outboxes are numbered from 1. What befalls one, and how it keeps what was
// acknowledged, follows from its number, so that who checks knows it too.

// allMet is how many of the first meet everything.
const allMet = 3

// long ones have so many records that Ack writes by itself.
func long(box int) bool { return box%3 == 1 }

// sealed ones have records that are sealed to keys, which are replaced meanwhile.
func sealed(box int) bool { return box%6 == 2 }

// migrated ones are made of the file of an older program.
func migrated(box int) bool { return box%2 == 0 }

// salvaged ones are damaged and lose nothing by it.
func salvaged(box int) bool { return box%3 == 2 }

// begun ones lose all that is in the file.
func begun(box int) bool { return box%6 == 3 }

// needs tells whether records are kept for the consumer.
func needs(box int) bool { return box%4 < 2 }

// consumer has a cursor in every outbox.
const consumer = "feed"

// options are those of an outbox, so that each way of keeping what was
// acknowledged is met. The disk is small, with nothing else on it, and yet the
// outbox is never Low, at which it would keep less.
func options(box int) store.Options {
	o := store.Options{MaxSize: 16 << 20, Headroom: 1, Keep: 10 * (box % 3)}
	if needs(box) {
		o.Required = []string{consumer}
	}
	return o
}

func boxPath(folder string, box int) string {
	return filepath.Join(folder, fmt.Sprintf("outbox%d.db", box))
}
