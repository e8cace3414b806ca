package reconcile

import "slices"

// ID identifies an event: the link that the next event must have (event.Opened.Link), or
// any other value that no second event has. "" means no event.
type ID string

// Place is where an event is in the history of its kiosk.
type Place struct {
	Epoch    string
	Sequence uint64 // within the epoch, from 1
}

// Event is what the protocol needs to know of an event.
type Event struct {
	ID ID
	Place
	Previous ID    // of the event before it, also across epochs; "" for the first event, or if it is lost
	After    Place // of that event
	Open     *Open // the announcement of an epoch, nil for any other event
}

// Open is what the announcement of a new epoch says about the kiosk's former events.
type Open struct {
	Epoch         string // in which events were lost
	From, Through uint64 // the lost numbers; From is 0 if no loss is known
	Vouches       ID     // the oldest event that is left, whose previous event the hub does not have; "" for none
}

// Branch is a run of events of one epoch that a hub has. Each event links to the one before
// it. An epoch has several branches if events between them are missing, or if a kiosk
// recorded different events with the same numbers.
type Branch struct {
	Epoch       string
	First, Last uint64
	Tip         ID // the last event; "" if that is not known, because an older kiosk has lost it
}

func (b Branch) covers(p Place) bool {
	return b.Epoch == p.Epoch && b.First <= p.Sequence && p.Sequence <= b.Last
}

// Log is what a hub knows about the events of one kiosk. The zero value has none.
type Log struct {
	Branches []Branch
	Opens    []Open
}

// Read returns the ID of the event of a branch with a sequence number that the branch covers.
type Read func(branch int, sequence uint64) (ID, error)

// Find returns the branch that has an event, or -1.
func (l *Log) Find(p Place, id ID, read Read) (branch int, err error) {
	for i, b := range l.Branches {
		if !b.covers(p) {
			continue
		}
		at := b.Tip
		if p.Sequence < b.Last {
			if at, err = read(i, p.Sequence); err != nil {
				return -1, err
			}
		}
		if at == id {
			return i, nil
		}
	}
	return -1, nil
}

// Join returns the branch that an event continues, or -1 if it begins a new one. The hub must
// not have the event. ok is false if its previous event is missing, and no announcement
// vouches for it. An announcement that names lost events has no previous event. Instead, the
// event before the lost ones must be there or be named as lost too.
func (l *Log) Join(e Event, read Read) (branch int, ok bool, err error) {
	for i, b := range l.Branches {
		known := b.Tip != "" && e.Previous != ""
		if b.Epoch == e.Epoch && b.Last+1 == e.Sequence && (b.Tip == e.Previous || !known) {
			return i, true, nil
		}
	}
	if slices.ContainsFunc(l.Opens, func(o Open) bool { return o.Vouches == e.ID }) {
		return -1, true, nil
	}
	if e.Previous == "" {
		o := e.Open
		complete := o == nil || o.From < 2 || l.Has(Place{o.Epoch, o.From - 1}) || l.lost(Place{o.Epoch, o.From - 1})
		return -1, e.Sequence == 1 && complete, nil
	}
	before, err := l.Find(e.After, e.Previous, read)
	return -1, before >= 0, err
}

// Add adds an event to the branch that Join returned, and returns the branch.
func (l *Log) Add(e Event, branch int) int {
	if branch < 0 {
		branch = len(l.Branches)
		l.Branches = append(l.Branches, Branch{Epoch: e.Epoch, First: e.Sequence})
	}
	b := &l.Branches[branch]
	b.Last, b.Tip = e.Sequence, e.ID
	if e.Open != nil {
		l.Opens = append(l.Opens, *e.Open)
	}
	return branch
}

// Has reports whether the hub has an event at a place.
func (l *Log) Has(p Place) bool {
	return slices.ContainsFunc(l.Branches, func(b Branch) bool { return b.covers(p) })
}

// lost reports whether an announcement names an event as lost.
func (l *Log) lost(p Place) bool {
	return slices.ContainsFunc(l.Opens, func(o Open) bool { return o.Epoch == p.Epoch && o.From <= p.Sequence && p.Sequence <= o.Through })
}

// Forked reports whether the hub has different events with the same epoch and number.
func (l *Log) Forked(epoch string) bool {
	for i, b := range l.Branches {
		for _, c := range l.Branches[:i] {
			if b.Epoch == epoch && c.Epoch == epoch && b.First <= c.Last && c.First <= b.Last {
				return true
			}
		}
	}
	return false
}

// Missing returns the ranges of announced losses that the hub still lacks. It leaves out
// numbers that the hub has, so that a kiosk does not send those again.
func (l *Log) Missing() (missing []Open) {
	for _, o := range l.Opens {
		for n := o.From; o.From != 0 && n <= o.Through; {
			b := slices.IndexFunc(l.Branches, func(b Branch) bool { return b.covers(Place{o.Epoch, n}) })
			if b >= 0 {
				n = l.Branches[b].Last + 1
				continue
			}
			through := o.Through
			for _, b := range l.Branches {
				if b.Epoch == o.Epoch && b.First > n {
					through = min(through, b.First-1)
				}
			}
			missing = append(missing, Open{Epoch: o.Epoch, From: n, Through: through})
			n = through + 1
		}
	}
	return missing
}

// Resend decides what a kiosk does if the hub lacks the event before the one at a position of
// the outbox, whose first event is at first. has is what the hub says that it has. link
// returns the ID of the event at a position, and whether the kiosk still keeps it.
//
// If the kiosk keeps the missing event, it sends everything again after the newest event that
// the hub says that it has. Otherwise lost is true: the kiosk begins a new epoch with Loss. It
// then sends all of its events again, with the announcement before the one at position. It
// cannot know which of them the hub has, because the event at position no longer proves that.
func Resend(position, first uint64, has []Branch, link func(position uint64) (id ID, kept bool, err error)) (after uint64, lost bool, err error) {
	for at := position - 1; at >= first; at-- {
		id, kept, err := link(at)
		if err != nil {
			return 0, false, err
		}
		known := kept && slices.ContainsFunc(has, func(b Branch) bool { return b.Tip == id })
		switch {
		case at == position-1 && (known || !kept):
			return first - 1, true, nil
		case known:
			return at, false, nil
		}
	}
	return first - 1, position == first, nil
}

// Loss returns what the announcement of a new epoch says about the events that are missing
// before an event.
func Loss(e Place, id ID, has []Branch) Open {
	var last uint64 // the newest event of the epoch before e that the hub has
	for _, b := range has {
		if b.Epoch == e.Epoch && b.First < e.Sequence {
			last = max(last, min(b.Last, e.Sequence-1))
		}
	}
	if last+1 == e.Sequence {
		return Open{Vouches: id}
	}
	return Open{Epoch: e.Epoch, From: last + 1, Through: e.Sequence - 1, Vouches: id}
}
