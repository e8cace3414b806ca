package reconcile

import "slices"

// The model of a hub and a kiosk that the exploration uses. Its decisions are those of the
// code that kioskhub and kioskd run.

// event is an event with the key that signed it.
type event struct {
	Event
	key uint8
}

// batch is what a kiosk sends.
type batch struct {
	events []event
	keys   []uint8 // from the certificates of this kiosk, former ones included
}

// answer is what a hub answers to a batch.
type answer struct {
	durable []ID   // the events of the batch that are on disk
	fork    string // the epoch in which the hub now has two histories; "" means no fork
	gap     ID     // the first event of the batch whose previous event is missing; "" means no gap
	has     []Branch
	missing []Open // the numbers that were named as lost and that the hub still lacks
}

// hub is a hub's side. The zero value has no events.
type hub struct {
	feed  []event
	in    []int // the branch of each event of the feed
	log   Log
	forks []string // epochs with an alarm
}

func (h hub) find(id ID) int {
	return slices.IndexFunc(h.feed, func(e event) bool { return e.ID == id })
}

func (h hub) has(id ID) bool { return h.find(id) >= 0 }

func (h hub) read(branch int, sequence uint64) (ID, error) {
	for i, e := range h.feed {
		if h.in[i] == branch && e.Sequence == sequence {
			return e.ID, nil
		}
	}
	panic("a branch has no such event")
}

// receive stores a batch. It does not change h.
func (h hub) receive(b batch) (hub, answer) {
	h.feed, h.in, h.forks = slices.Clone(h.feed), slices.Clone(h.in), slices.Clone(h.forks)
	h.log = Log{slices.Clone(h.log.Branches), slices.Clone(h.log.Opens)}
	var a answer
	for _, e := range b.events {
		if !slices.Contains(b.keys, e.key) {
			break // the kiosk cannot have signed it; a sound kiosk sends no such event
		}
		if known, _ := h.log.Find(e.Place, e.ID, h.read); known < 0 {
			branch, ok, _ := h.log.Join(e.Event, h.read)
			if !ok {
				a.gap = e.ID
				break
			}
			if h.log.Has(e.Place) && !slices.Contains(h.forks, e.Epoch) {
				h.forks = append(h.forks, e.Epoch)
			}
			h.feed, h.in = append(h.feed, e), append(h.in, h.log.Add(e.Event, branch))
		}
		if h.log.Forked(e.Epoch) {
			a.fork = e.Epoch
		}
		a.durable = append(a.durable, e.ID)
	}
	a.has, a.missing = h.log.Branches, h.log.Missing()
	return h, a
}

// kept is an event in an outbox.
type kept struct {
	event
	position uint8
}

// kiosk is a kiosk's side. The zero value is a machine with an empty outbox.
type kiosk struct {
	outbox []kept // oldest first
	acked  []ID
	next   uint8  // position of the newest event that was ever recorded
	epoch  string // "" means that the next event begins an epoch
	last   Place  // of the newest event
	lastID ID
	key    uint8
	former []uint8
}

// source makes the random values of a kiosk: ids of epochs, and ids of events, because
// events differ in their content.
type source struct{ epochs, ids uint8 }

// record records one outcome. It begins a new epoch if the kiosk has none.
func (k kiosk) record(s *source) kiosk {
	if k.epoch == "" {
		k = k.begin(s, Open{})
	}
	return k.add(s, nil)
}

// begin begins a new epoch.
func (k kiosk) begin(s *source, open Open) kiosk {
	s.epochs++
	k.epoch = string(rune(s.epochs))
	if open.Vouches != "" {
		k.lastID = "" // the hub must take the announcement before the events it vouches for
	}
	return k.add(s, &open)
}

func (k kiosk) add(s *source, open *Open) kiosk {
	s.ids++
	k.next++
	e := event{Event{ID: ID(rune(s.ids)), Place: Place{k.epoch, k.last.Sequence + 1}, Previous: k.lastID, After: k.last, Open: open}, k.key}
	if open != nil {
		e.Sequence = 1
	}
	k.outbox = append(slices.Clone(k.outbox), kept{e, k.next})
	k.last, k.lastID = e.Place, e.ID
	return k
}

// pending returns the events to send. The newest announcement that vouches for an older event is
// sent before that event, and again in its own place.
func (k kiosk) pending() batch {
	b := batch{keys: append(slices.Clone(k.former), k.key)}
	for _, e := range k.outbox {
		if slices.Contains(k.acked, e.ID) {
			continue
		}
		for _, o := range slices.Backward(k.outbox) {
			if o.Open != nil && o.Open.Vouches == e.ID {
				b.events = append(b.events, o.event)
				break
			}
		}
		b.events = append(b.events, e.event)
	}
	return b
}

// handle follows the hub's answer.
func (k kiosk) handle(a answer, s *source) kiosk {
	k.acked = slices.Clone(k.acked)
	for _, id := range a.durable {
		if k.index(id) >= 0 && !slices.Contains(k.acked, id) {
			k.acked = append(k.acked, id)
		}
	}
	if a.fork != "" && a.fork == k.epoch {
		k = k.begin(s, Open{})
	}
	// This kiosk may still have events that another machine or an earlier life named as
	// lost.
	for _, o := range a.missing {
		for _, e := range k.outbox {
			if e.Epoch == o.Epoch && e.Sequence >= o.From && e.Sequence <= o.Through && !slices.Contains(a.durable, e.ID) {
				k.unack(e.ID)
			}
		}
	}
	if a.gap == "" {
		return k
	}
	at := k.outbox[k.index(a.gap)]
	if at.Open != nil && at.Open.Vouches != "" && k.index(at.Open.Vouches) >= 0 {
		at = k.outbox[k.index(at.Open.Vouches)] // the announcement does not say enough
	}
	first := k.outbox[0].position
	after, lost, _ := Resend(uint64(at.position), uint64(first), a.has, func(position uint64) (ID, bool, error) {
		i := slices.IndexFunc(k.outbox, func(e kept) bool { return uint64(e.position) == position })
		if i < 0 {
			return "", false, nil
		}
		return k.outbox[i].ID, true, nil
	})
	for _, e := range k.outbox {
		if uint64(e.position) > after && e.position < at.position {
			k.unack(e.ID)
		}
	}
	if lost {
		k = k.begin(s, Loss(at.Place, at.ID, a.has))
	}
	return k
}

func (k *kiosk) unack(id ID) {
	k.acked = slices.DeleteFunc(k.acked, func(a ID) bool { return a == id })
}

func (k kiosk) index(id ID) int {
	return slices.IndexFunc(k.outbox, func(e kept) bool { return e.ID == id })
}

// forget removes the event at an index.
func (k kiosk) forget(i int) kiosk {
	k.acked = slices.Clone(k.acked)
	k.unack(k.outbox[i].ID)
	k.outbox = slices.Delete(slices.Clone(k.outbox), i, i+1)
	return k
}

// prune deletes the oldest event if the hub has acknowledged it.
func (k kiosk) prune() kiosk {
	if len(k.outbox) == 0 || !slices.Contains(k.acked, k.outbox[0].ID) {
		return k
	}
	return k.forget(0)
}

// loseTail loses the newest event, like a disk that did not sync it.
func (k kiosk) loseTail() kiosk {
	if len(k.outbox) == 0 {
		return k
	}
	last := k.outbox[len(k.outbox)-1]
	if last.ID != k.lastID || last.Previous == "" && last.position > 1 {
		return k
	}
	k = k.forget(len(k.outbox) - 1)
	k.next, k.last, k.lastID, k.epoch = last.position-1, last.After, last.Previous, last.After.Epoch
	return k
}

// loseMiddle loses an event that is not the newest, like a disk with a bad page.
func (k kiosk) loseMiddle() kiosk {
	if len(k.outbox) < 2 {
		return k
	}
	return k.forget(len(k.outbox) - 2)
}

// newKey replaces the device key.
func (k kiosk) newKey(key uint8) kiosk {
	k.former, k.key = append(slices.Clone(k.former), k.key), key
	return k
}
