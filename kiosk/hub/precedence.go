package hub

import (
	"runtime"
	"sync"
	"time"
)

// precedence shares the processors between persons, who stand before a kiosk, and
// backlogs, of which a single one would keep them all busy for seconds, and the disk
// beside them. While a person waits, one event is opened or one message of events
// stored at a time, whoever sent it; so backlogs go on, if slowly, however many
// persons come. So it stays for a moment behind each answer: a visit asks more than
// once, and while all processors are busy the runtime looks every 10 ms only whether a
// request has come. The zero value is ready.
type precedence struct {
	mu      sync.Mutex
	changed sync.Cond
	persons int // that wait for an answer
	lately  int // that had one within lingerTime
	opening int // events that are opened
	storing int // messages that are stored
}

// lingerTime is longer than a card takes to sign between a challenge and its verdict
// when the PIN was entered before.
const lingerTime = 250 * time.Millisecond

// person notes that a person waits; the answer is to be called when no longer.
func (p *precedence) person() (served func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.persons++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.persons--
		p.lately++
		time.AfterFunc(lingerTime, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.lately--
			p.wake()
		})
	}
}

// begin waits until one more event may be opened.
func (p *precedence) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.mustWait() || p.opening >= runtime.GOMAXPROCS(0) {
		p.changed.L = &p.mu
		p.changed.Wait()
	}
	p.opening++
}

// beginStoring waits until one more message may be stored; stored is to be called
// when it is.
func (p *precedence) beginStoring() (stored func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.mustWait() {
		p.changed.L = &p.mu
		p.changed.Wait()
	}
	p.storing++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.storing--
		p.wake()
	}
}

// mustWait tells whether a person waits, or did lately, and something is done beside.
func (p *precedence) mustWait() bool { return p.persons+p.lately > 0 && p.opening+p.storing > 0 }

// end lets the next one begin, and whoever has come meanwhile have the processor:
// without that it would be had for 10 ms at a time.
func (p *precedence) end() {
	p.mu.Lock()
	p.opening--
	p.wake()
	p.mu.Unlock()
	runtime.Gosched()
}

func (p *precedence) wake() {
	p.changed.L = &p.mu
	p.changed.Broadcast()
}
