package cuts

import (
	"fmt"
	"strconv"
	"strings"
)

// Point is an action of the writer during which the power can be cut.
type Point string

// The points.
const (
	Anywhere Point = "anywhere"
	Place    Point = "place"   // copies an outbox of an older format, for Migrate
	Create   Point = "create"  // store.Open of a missing outbox
	Migrate  Point = "migrate" // store.Open of an outbox of an older format
	Open     Point = "open"    // store.Open of a closed outbox
	Append   Point = "append"
	Ack      Point = "ack"
	Advance  Point = "advance" // a consumer's cursor
	Compact  Point = "compact"
	Park     Point = "park"   // store.MoveToDeadLetters
	Damage   Point = "damage" // damages a closed outbox, for Salvage
	Salvage  Point = "salvage"
	Close    Point = "close"

	Rotate Point = "rotate" // replaces a hub's key
	Follow Point = "follow" // the device starts to use the hub's newest key

	OpenRecords Point = "open-records" // opens the device's records, or creates them
	Keep        Point = "keep"         // writes the device's records
	Remove      Point = "remove"       // removes an outbox that is not needed any more
)

// points are the points that every writer passes.
var points = []Point{
	Create, Place, Migrate, Open, Append, Ack, Advance, Compact, Park, Close, Damage, Salvage, Rotate, Follow, OpenRecords, Keep, Remove,
}

// Mark is an entry in the disk's log that says what the writer is about to do or
// has done.
type Mark struct {
	Box   int // the number of the outbox, from 1
	Point Point
	End   bool // the action is done
	// Number depends on Point. For the end of Append and for Park, Ack and
	// Advance it is the sequence number. For Place it is the index of the old
	// outbox. For Rotate and Follow it is the key's number, and for Keep the
	// write's, both from 1.
	Number uint64
}

// String returns the text that ParseMark reads. It has no spaces.
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

// Promises are what outboxes promised to a writer, and what the writer started.
type Promises struct{ boxes map[int]*promise }

// promise is for one outbox.
type promise struct {
	old      int             // the index of the old outbox that it was made of, or -1
	there    bool            // the file must exist
	appended uint64          // the newest record that must exist
	tried    uint64          // the number of appends that were started
	acked    uint64          // the newest record that may have been acknowledged
	advanced uint64          // the newest record that the cursor may have reached
	parked   map[uint64]bool // dead letters: true if certain, false if possible
	damaged  bool            // the file may have to be salvaged
	records  bool            // the device's records must exist
	kept     uint64          // the newest write of the device's records that must exist
	keeping  uint64          // the newest write that may exist

	rotated, rotating   uint64 // the number of the hub's newest key: at least, at most
	followed, following uint64 // the number of the key that the device uses: at least, at most
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
		for seq := range b.parked { // Salvage may put the original record back
			b.parked[seq] = false
		}
	case m.Point == Salvage && m.End:
		b.damaged = false
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

// count returns the number of records that must exist.
func (p *Promises) count() (n int) {
	for _, b := range p.boxes {
		n += int(b.appended - min(b.appended, b.acked))
	}
	return n
}
