package cuts

import (
	"fmt"
	"strconv"
	"strings"

	"smartkiosk/store"
)

// Point is something that a writer does, at which the power can be cut.
type Point string

// The points.
const (
	Anywhere Point = "anywhere"
	Place    Point = "place"   // an outbox of an older format, for Migrate
	Create   Point = "create"  // Open where there is no outbox
	Migrate  Point = "migrate" // Open of one of an older format
	Open     Point = "open"    // Open of one that was closed
	Append   Point = "append"
	Ack      Point = "ack"
	Advance  Point = "advance" // a consumer's cursor
	Compact  Point = "compact"
	Park     Point = "park"
	Damage   Point = "damage" // done to a closed outbox, for Salvage or Begin
	Salvage  Point = "salvage"
	Begin    Point = "begin" // store.Begin
	Close    Point = "close"

	Rotate Point = "rotate" // a hub's keys
	Follow Point = "follow" // of the device that seals to the newest of them

	OpenRecords Point = "open-records" // the device's, which are made if there are none
	Keep        Point = "keep"         // a write of theirs
	Remove      Point = "remove"       // an outbox that is no longer needed
)

// points are those that a writer passes, sooner or later.
var points = []Point{
	Create, Place, Migrate, Open, Append, Ack, Advance, Compact, Park, Close, Damage, Salvage, Begin, Rotate, Follow, OpenRecords, Keep, Remove,
}

// Mark says, in the disk's log, what the writer is about to do or has done.
type Mark struct {
	Box   int // the number of the outbox, from 1
	Point Point
	End   bool // it is done
	// Number is with Append's end and with Park the sequence number, with Ack
	// and Advance through which, with Place which of the old outboxes, from 0,
	// with Damage that of the first record that is lost, 0 if none is, with
	// Rotate and Follow the key's, from 1, with Keep of the write.
	Number uint64
}

// String is the form that ParseMark reads; it has no spaces.
func (m Mark) String() string {
	phase := "begin"
	if m.End {
		phase = "end"
	}
	return fmt.Sprintf("%d:%s:%s:%d", m.Box, m.Point, phase, m.Number)
}

// ParseMark reads a mark's String.
func ParseMark(text string) (m Mark, err error) {
	parts := strings.Split(text, ":")
	if len(parts) != 4 || parts[2] != "begin" && parts[2] != "end" {
		return Mark{}, fmt.Errorf("cannot read mark %q", text)
	}
	m.Point, m.End = Point(parts[1]), parts[2] == "end"
	if m.Box, err = strconv.Atoi(parts[0]); err == nil {
		m.Number, err = strconv.ParseUint(parts[3], 10, 64)
	}
	if err != nil {
		return Mark{}, fmt.Errorf("cannot read mark %q: %w", text, err)
	}
	return m, nil
}

// Promises are what a writer was promised, and what it had asked for.
type Promises struct{ boxes map[int]*promise }

// promise is for one outbox.
type promise struct {
	old      int             // which old outbox it was made of, -1 none
	there    bool            // the file must be there
	appended uint64          // the newest record that must be there
	tried    uint64          // so many were begun to be appended
	acked    uint64          // through here records may have been acknowledged
	advanced uint64          // through here the consumer may have them
	parked   map[uint64]bool // records for which another stands in: false while it may
	damaged  bool            // it may have to be salvaged
	lost     store.Range     // records for which others stand in once it is begun anew; the zero one if it never was empty
	begun    bool            // it was
	records  bool            // the device's records must be there
	kept     uint64          // the newest write of theirs that must be there
	keeping  uint64          // the newest that may be

	rotated, rotating   uint64 // the number of the hub's newest key: at least, at most
	followed, following uint64 // and of the one that the device follows
}

func (p *Promises) add(m Mark) {
	if p.boxes == nil {
		p.boxes = map[int]*promise{}
	}
	b := p.boxes[m.Box]
	if b == nil {
		b = &promise{old: -1, parked: map[uint64]bool{}}
		p.boxes[m.Box] = b
	}
	switch {
	case m.Point == Place && !m.End:
		b.old = int(m.Number)
	case (m.Point == Place || m.Point == Create) && m.End:
		b.there = true
	case m.Point == Append && !m.End:
		b.tried++
	case m.Point == Append:
		b.appended = max(b.appended, m.Number)
	case m.Point == Ack && !m.End:
		b.acked = max(b.acked, m.Number)
	case m.Point == Advance && !m.End:
		b.advanced = max(b.advanced, m.Number)
	case m.Point == Park:
		b.parked[m.Number] = m.End
	case m.Point == Damage && !m.End:
		b.damaged = true
		for seq := range b.parked { // Salvage may put the original back in its place
			b.parked[seq] = false
		}
		if m.Number != 0 {
			b.lost = store.Range{From: m.Number, Through: b.appended}
		}
	case m.Point == Salvage && m.End:
		b.damaged = false
	case m.Point == Begin && m.End:
		b.damaged, b.begun = false, true
		clear(b.parked)
	case m.Point == Rotate && m.End:
		b.rotated = m.Number
	case m.Point == Rotate:
		b.rotating = m.Number
	case m.Point == Follow && m.End:
		b.followed = m.Number
	case m.Point == Follow:
		b.following = m.Number
	case m.Point == OpenRecords && m.End:
		b.records = true
	case m.Point == Keep && m.End:
		b.kept = m.Number
	case m.Point == Keep:
		b.keeping = m.Number
	case m.Point == Remove:
		delete(p.boxes, m.Box)
	}
}

// count is the number of records that must be there.
func (p *Promises) count() (n int) {
	for _, b := range p.boxes {
		n += int(b.appended - min(b.appended, b.acked))
	}
	return n
}
