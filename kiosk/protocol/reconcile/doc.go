// Package reconcile holds the rules by which a kiosk and a hub agree again after one of
// them lost or repeated a part of its history. The hub (kiosk/hub) and the kiosk
// (kiosk/push) follow them, and so does a model with which a test explores all short
// histories.
//
// # The parties
//
// A kiosk keeps events in its outbox until the hub has acknowledged them, and for
// some time after that. Each event has an epoch, a sequence number within the epoch,
// and a link: the hash of the previous event. An epoch is one life of an outbox. Its
// id is random, so that two machines never choose the same one. The first event of
// an epoch announces it (smartkiosk.epoch.v1). Events of older kiosks have no epoch;
// together they are the first one.
//
// The hub keeps every event of every epoch, in the order in which they arrived. That
// order is the feed. For each kiosk it knows branches: runs of events of one epoch, each
// linked to the one before.
//
//	kiosk                                             hub
//	  │  POST /v1/events: pending events, oldest first, │
//	  │  and the certificates of former keys            │
//	  ├────────────────────────────────────────────────▶│ for each event, in order:
//	  │                                                 │   the hub has it      → skip it
//	  │                                                 │   previous is there   → store it
//	  │                                                 │   another event with the same
//	  │                                                 │     epoch and number  → store both, mark the second, alarm
//	  │                                                 │   previous is missing → stop: gap
//	  │  200: all are durable; conflict; numbers        │
//	  │       named as lost that the hub still lacks    │
//	  │  409: gap; the branches that the hub has        │
//	  │◀────────────────────────────────────────────────┤
//	  │                                                 │
//	  │  durable   mark the events as acknowledged      │
//	  │  conflict  begin a new epoch                    │
//	  │  gap       send again from the hub's last event │
//	  │            that the kiosk knows; if it does not │
//	  │            keep the missing event, begin a new  │
//	  │            epoch whose first event names the    │
//	  │            lost numbers and vouches for the     │
//	  │            event after them; send everything    │
//	  │            again, the announcement before that  │
//	  │            event                                │
//	  │  missing   send such an event again, if the     │
//	  │            kiosk still has it                   │
//
// # When a kiosk begins a new epoch
//
//   - Its outbox is new or empty, because the SD card was replaced. It does not wait
//     for the hub and does not guess how many events there were.
//   - The end of its outbox was damaged, so that it does not know which numbers it used.
//   - The hub reports a conflict: the outbox was restored from an image or lost its last
//     commits, or a second machine has the same identity. Events that were already
//     recorded keep their numbers, and the hub stores both histories.
//   - The hub lacks events that the kiosk has deleted, because the hub was restored
//     from a backup, or that the kiosk lost with a part of its disk.
//
// # Keys
//
// An event stays valid by the key that signed it. A kiosk sends the certificates of
// its former keys with each batch, and the hub checks them by its own CA. So a hub
// that was restored from a backup need not remember them, and a new key never turns
// an event into a dead letter.
//
// # Older versions
//
// A hub goes on with a stream from before epochs, and a kiosk with an outbox from before
// epochs. A hub accepts events of older kiosks. An older hub does not understand epochs, so
// hubs are upgraded before their kiosks.
//
// # Invariants
//
// The test explores every history of a bounded number of steps and checks after each
// step that:
//
//  1. Progress: within four exchanges a kiosk has nothing pending.
//  2. Nothing is lost: after that, the hub has every event that any kiosk still keeps.
//  3. Once: no event is in the feed twice.
//  4. Order: an event comes after its previous event, or after an announcement that
//     vouches for it.
//  5. Honest losses: an announcement names only numbers that were recorded, and none
//     that the hub had when it answered. A batch that the network delivers late may
//     bring such an event afterwards, so that consumers see both.
//  6. Nothing unnamed: if the hub lacks an event that was acknowledged, and the kiosk
//     that sent it still keeps a later one of that epoch, an announcement names it.
//  7. Alarms: the hub marks a fork exactly when it has two events with the same epoch
//     and number.
package reconcile
