// Package reconcile specifies how a kiosk and a hub agree again after one of them
// lost or repeated a part of its history. It holds the protocol as a pure state
// machine, with which a test explores all short histories. Nothing in it runs in
// kioskd or kioskhub yet: it is the specification that both must follow.
//
// # The parties
//
// A kiosk keeps events in its outbox until the hub has acknowledged them, and for
// some time after that. Each event has an epoch, a sequence number within the epoch,
// and a link: the hash of the previous event. An epoch is one life of an outbox. Its
// id is random, so that two machines never choose the same one. The first event of
// an epoch announces it (smartkiosk.epoch.v1).
//
// The hub keeps every event of every epoch, in the order in which they arrived. That
// order is the feed.
//
//	kiosk                                             hub
//	  │  batch: pending events, oldest first            │
//	  ├────────────────────────────────────────────────▶│ for each event, in order:
//	  │                                                 │   the hub has it      → skip it
//	  │                                                 │   previous is there   → store it
//	  │                                                 │   another event with the same
//	  │                                                 │     epoch and number  → store both, mark a fork, alarm
//	  │                                                 │   previous is missing → stop: gap
//	  │  answer: which events are durable, fork, gap,   │
//	  │          the last events of each epoch, numbers │
//	  │          named as lost that the hub still lacks │
//	  │◀────────────────────────────────────────────────┤
//	  │                                                 │
//	  │  durable   mark the events as acknowledged      │
//	  │  fork      begin a new epoch                    │
//	  │  gap       send again from the hub's last event │
//	  │            that the kiosk knows; if it keeps no │
//	  │            such event, begin a new epoch whose  │
//	  │            first event names the lost numbers   │
//	  │            and vouches for the oldest event     │
//	  │            that is left                         │
//	  │  missing   send such an event again, if the     │
//	  │            kiosk still has it                   │
//
// # When a kiosk begins a new epoch
//
//   - Its outbox is new or empty, because the SD card was replaced. It does not wait
//     for the hub and does not guess how many events there were.
//   - The hub reports a fork: the outbox was restored from an image or lost its last
//     commits, or a second machine has the same identity. Events that were already
//     recorded keep their numbers, and the hub stores both histories.
//   - The hub has lost events that the kiosk has deleted, because the hub was restored
//     from a backup.
//
// # Keys
//
// An event stays valid by the key that signed it. A kiosk sends the certificates of
// its former keys with each batch, and the hub checks them by its own CA. So a hub
// that was restored from a backup need not remember them, and a new key never turns
// an event into a dead letter.
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
