package event

import (
	"cmp"
	"crypto"
	"errors"
	"maps"
	"slices"
)

// Errors that Verify reports, in addition to ErrLink and, for altered events, Open's
// errors.
var (
	ErrMissing   = errors.New("event is missing")
	ErrRepeated  = errors.New("event occurs again")
	ErrReordered = errors.New("event comes after a later one")
)

// Fault is one thing that is wrong with a list of events.
type Fault struct {
	Place    int    // index in the list; of the next event, if some are missing
	Sequence uint64 // of the event, or of the first missing one; 0 if unknown
	Through  uint64 // of the last missing event, otherwise Sequence
	Err      error
}

// Verify opens a list of one kiosk's events and reports each event that was altered,
// is missing between two others of its epoch, occurs again or is out of order. The list
// may begin and end anywhere in the chain. Faults are in the order of their places.
// Without faults, the list is a part of the chain as the kiosk made it.
func (o *Opener) Verify(cloudEvents [][]byte, device ...crypto.PublicKey) []Fault {
	var faults []Fault
	report := func(place int, from, through uint64, err error) {
		faults = append(faults, Fault{Place: place, Sequence: from, Through: through, Err: err})
	}
	type seen struct {
		place int
		event Opened // the zero value if Open failed
	}
	type epoch struct {
		found  map[uint64]seen
		newest uint64
	}
	epochs := map[string]*epoch{}
	for place, text := range cloudEvents {
		e, err := o.Open(text, device...)
		h := e.Header
		if err != nil {
			h, _ = Peek(text) // what the event claims
			report(place, h.Sequence, h.Sequence, err)
		}
		in := epochs[h.Epoch]
		if in == nil {
			in = &epoch{found: map[uint64]seen{}}
			epochs[h.Epoch] = in
		}
		// An unproven sequence number counts only if it is the next one.
		if err != nil && (in.newest == 0 || h.Sequence != in.newest+1) {
			continue
		}
		if _, again := in.found[h.Sequence]; again {
			report(place, h.Sequence, h.Sequence, ErrRepeated)
			continue
		}
		if h.Sequence < in.newest {
			report(place, h.Sequence, h.Sequence, ErrReordered)
		}
		in.newest = max(in.newest, h.Sequence)
		in.found[h.Sequence] = seen{place, e}
	}

	for _, in := range epochs {
		sequences := slices.Sorted(maps.Keys(in.found))
		for i := 1; i < len(sequences); i++ {
			before, this := in.found[sequences[i-1]], in.found[sequences[i]]
			if from, through := sequences[i-1]+1, sequences[i]-1; from <= through {
				report(this.place, from, through, ErrMissing)
				continue
			}
			if before.event.Sequence == 0 || this.event.Sequence == 0 {
				continue
			}
			if err := this.event.Follows(before.event.Sequence, before.event.Link); err != nil {
				report(this.place, sequences[i], sequences[i], err)
			}
		}
	}
	slices.SortStableFunc(faults, func(a, b Fault) int { return cmp.Compare(a.Place, b.Place) })
	return faults
}
