package reconcile

import "slices"

// ID identifies an event, like the hash of its JWS. 0 means no event.
type ID uint8

// Event is one event of an outbox.
type Event struct {
	ID       ID
	Epoch    uint8
	Sequence uint8 // within the epoch, from 1
	Previous ID    // of the event before it, also across epochs; 0 for the first event of an outbox
	Key      uint8 // the key that signed it
	Open     *Open // the announcement of an epoch, nil for any other event
}

// Open is the announcement of a new epoch, the payload of its first event.
type Open struct {
	Epoch         uint8 // in which events were lost; 0 if no loss is known
	From, Through uint8 // the lost numbers; From is 0 if no numbers are lost
	Vouches       ID    // the oldest event that is left, whose previous event the hub does not have
}

// Batch is what a kiosk sends.
type Batch struct {
	Events []Event
	Keys   []uint8 // from the certificates of this kiosk, former ones included
}

// Tip is the last event of a history that a hub has.
type Tip struct {
	Epoch, Sequence uint8
	ID              ID
}

// Answer is what a hub answers to a batch.
type Answer struct {
	Durable []ID  // the events of the batch that are on disk
	Fork    uint8 // the epoch in which the hub now has two histories; 0 means no fork
	Gap     ID    // the first event of the batch whose previous event is missing; 0 means no gap
	Tips    []Tip
	Missing []Open // the numbers that were named as lost and that the hub still lacks
}

// Hub is a hub's side. The zero value has no events.
type Hub struct {
	Feed  []Event
	Forks []uint8 // epochs with an alarm
}

func (h Hub) find(id ID) int {
	return slices.IndexFunc(h.Feed, func(e Event) bool { return e.ID == id })
}

func (h Hub) has(id ID) bool { return h.find(id) >= 0 }

// vouched reports whether an announcement vouches for an event.
func (h Hub) vouched(id ID) bool {
	return slices.ContainsFunc(h.Feed, func(e Event) bool { return e.Open != nil && e.Open.Vouches == id })
}

// Receive stores a batch. It does not change h.
func (h Hub) Receive(b Batch) (Hub, Answer) {
	h.Feed, h.Forks = slices.Clone(h.Feed), slices.Clone(h.Forks)
	var a Answer
	for _, e := range b.Events {
		if !slices.Contains(b.Keys, e.Key) {
			break // the kiosk cannot have signed it; a sound kiosk sends no such event
		}
		if !h.has(e.ID) {
			if e.Previous != 0 && !h.has(e.Previous) && !h.vouched(e.ID) {
				a.Gap = e.ID
				break
			}
			if h.hasNumber(e.Epoch, e.Sequence) && !slices.Contains(h.Forks, e.Epoch) {
				h.Forks = append(h.Forks, e.Epoch)
			}
			h.Feed = append(h.Feed, e)
		}
		if slices.Contains(h.Forks, e.Epoch) {
			a.Fork = e.Epoch
		}
		a.Durable = append(a.Durable, e.ID)
	}
	for _, e := range h.Feed {
		if !slices.ContainsFunc(h.Feed, func(o Event) bool { return o.Previous == e.ID }) {
			a.Tips = append(a.Tips, Tip{e.Epoch, e.Sequence, e.ID})
		}
	}
	for _, e := range h.Feed {
		if o := e.Open; o != nil && o.From != 0 && slices.ContainsFunc(numbers(*o), func(n uint8) bool { return !h.hasNumber(o.Epoch, n) }) {
			a.Missing = append(a.Missing, *o)
		}
	}
	return h, a
}

func numbers(o Open) (all []uint8) {
	for n := o.From; n <= o.Through; n++ {
		all = append(all, n)
	}
	return all
}

func (h Hub) hasNumber(epoch, sequence uint8) bool {
	return slices.ContainsFunc(h.Feed, func(e Event) bool { return e.Epoch == epoch && e.Sequence == sequence })
}

// Kiosk is a kiosk's side. The zero value is a machine with an empty outbox.
type Kiosk struct {
	Kept    []Event // oldest first
	Acked   []ID    // of Kept
	Epoch   uint8   // 0 means that the next event begins an epoch
	Last    uint8   // sequence number of the newest event of Epoch
	LastID  ID
	Key     uint8
	Former  []uint8
	pending *Open // the announcement to make, if it has more content than the new epoch
}

// Source makes the random values of a kiosk: ids of epochs, and ids of events, because
// events differ in their content.
type Source struct{ Epochs, IDs uint8 }

// Record records one outcome. It begins a new epoch if the kiosk has none.
func (k Kiosk) Record(s *Source) Kiosk {
	k = k.open(s)
	return k.add(s, nil)
}

// open announces a new epoch if the kiosk has none.
func (k Kiosk) open(s *Source) Kiosk {
	if k.Epoch != 0 {
		return k
	}
	s.Epochs++
	k.Epoch, k.Last = s.Epochs, 0
	open := k.pending
	if k.pending = nil; open == nil {
		open = &Open{}
	} else {
		k.LastID = 0 // the hub must take the announcement before the events it vouches for
	}
	return k.add(s, open)
}

func (k Kiosk) add(s *Source, open *Open) Kiosk {
	s.IDs++
	e := Event{ID: ID(s.IDs), Epoch: k.Epoch, Sequence: k.Last + 1, Previous: k.LastID, Key: k.Key, Open: open}
	k.Kept = append(slices.Clone(k.Kept), e)
	k.Last, k.LastID = e.Sequence, e.ID
	return k
}

// Pending returns the events to send. An announcement that vouches for an older event is
// sent before that event.
func (k Kiosk) Pending() Batch {
	b := Batch{Keys: append(slices.Clone(k.Former), k.Key)}
	for _, e := range k.Kept {
		if !slices.Contains(k.Acked, e.ID) {
			b.Events = append(b.Events, e)
		}
	}
	slices.SortStableFunc(b.Events, func(x, y Event) int {
		switch {
		case vouches(x) && !vouches(y):
			return -1
		case vouches(y) && !vouches(x):
			return 1
		}
		return 0
	})
	return b
}

func vouches(e Event) bool { return e.Open != nil && e.Open.Vouches != 0 }

// Handle follows the hub's answer.
func (k Kiosk) Handle(a Answer, s *Source) Kiosk {
	k.Acked = slices.Clone(k.Acked)
	for _, id := range a.Durable {
		if k.keeps(id) && !slices.Contains(k.Acked, id) {
			k.Acked = append(k.Acked, id)
		}
	}
	if a.Fork != 0 && a.Fork == k.Epoch {
		k.Epoch = 0
	}
	// This kiosk may still have events that another machine or an earlier life named as
	// lost.
	for _, o := range a.Missing {
		for _, e := range k.Kept {
			if e.Epoch == o.Epoch && e.Sequence >= o.From && e.Sequence <= o.Through && !slices.Contains(a.Durable, e.ID) {
				k.Acked = slices.DeleteFunc(k.Acked, func(id ID) bool { return id == e.ID })
			}
		}
	}
	if a.Gap == 0 {
		return k
	}
	at := slices.IndexFunc(k.Kept, func(e Event) bool { return e.ID == a.Gap })
	if at > 0 {
		// Send everything again that comes after the newest event that the hub has.
		for i := at - 1; i >= 0; i-- {
			if slices.ContainsFunc(a.Tips, func(t Tip) bool { return t.ID == k.Kept[i].ID }) {
				break
			}
			k.Acked = slices.DeleteFunc(k.Acked, func(id ID) bool { return id == k.Kept[i].ID })
		}
		return k
	}
	// The hub lacks the event before the oldest one that is left.
	oldest, last := k.Kept[0], uint8(0)
	for _, t := range a.Tips {
		if t.Epoch == oldest.Epoch {
			last = max(last, t.Sequence)
		}
	}
	k.Epoch, k.pending = 0, &Open{Vouches: oldest.ID}
	if last+1 < oldest.Sequence {
		k.pending.Epoch, k.pending.From, k.pending.Through = oldest.Epoch, last+1, oldest.Sequence-1
	}
	return k.open(s)
}

func (k Kiosk) keeps(id ID) bool {
	return slices.ContainsFunc(k.Kept, func(e Event) bool { return e.ID == id })
}

// Prune deletes the oldest event if the hub has acknowledged it.
func (k Kiosk) Prune() Kiosk {
	if len(k.Kept) == 0 || !slices.Contains(k.Acked, k.Kept[0].ID) {
		return k
	}
	gone := k.Kept[0].ID
	k.Kept = slices.Clone(k.Kept[1:])
	k.Acked = slices.DeleteFunc(slices.Clone(k.Acked), func(id ID) bool { return id == gone })
	return k
}

// LoseTail loses the newest event, like a disk that did not sync it.
func (k Kiosk) LoseTail() Kiosk {
	if len(k.Kept) == 0 {
		return k
	}
	last := k.Kept[len(k.Kept)-1]
	if last.ID != k.LastID {
		return k
	}
	k.Kept = slices.Clone(k.Kept[:len(k.Kept)-1])
	k.Acked = slices.DeleteFunc(slices.Clone(k.Acked), func(id ID) bool { return id == last.ID })
	if k.Last, k.LastID = last.Sequence-1, last.Previous; k.Last == 0 {
		k.Epoch = 0
	}
	return k
}

// NewKey replaces the device key.
func (k Kiosk) NewKey(key uint8) Kiosk {
	k.Former, k.Key = append(slices.Clone(k.Former), k.Key), key
	return k
}
