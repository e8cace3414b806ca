package cuts

import (
	"fmt"
	"path/filepath"

	"smartkiosk/store"
)

// Outboxes are numbered from 1. The number determines what happens to an outbox
// and how it keeps acknowledged records, so that the Checker knows it too.

// allMet is the number of outboxes after which each kind has occurred.
const allMet = 3

// long outboxes have so many records that Ack makes its own commit.
func long(box int) bool { return box%3 == 1 }

// sealed outboxes have sealed records, and the keys are replaced meanwhile.
func sealed(box int) bool { return box%6 == 2 }

// migrated outboxes start as the file of an older program.
func migrated(box int) bool { return box%2 == 0 }

// salvaged outboxes are damaged but lose no record.
func salvaged(box int) bool { return box%3 == 2 }

// needs reports whether the consumer is required.
func needs(box int) bool { return box%4 < 2 }

// consumer has a cursor in every outbox.
const consumer = "feed"

// options returns an outbox's options, which cover each way of keeping
// acknowledged records. The disk is small, but the outbox is never Low, because
// it would then delete the records that it keeps.
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
