package hub

import (
	"runtime"
	"sync"
)

// precedence shares the processors between persons, who stand before a kiosk, and
// backlogs, of which a single one would keep them all busy for seconds. While a
// person waits, one event is opened at a time, whoever sent it; so backlogs go on,
// if slowly, however many persons come. The zero value is ready.
type precedence struct {
	mu      sync.Mutex
	changed sync.Cond
	persons int // that wait for an answer
	opening int // events that are opened
}

// person notes that a person waits; the answer is to be called when no longer.
func (p *precedence) person() (served func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.persons++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.persons--
		p.wake()
	}
}

// begin waits until one more event may be opened.
func (p *precedence) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.opening > 0 && (p.persons > 0 || p.opening >= runtime.GOMAXPROCS(0)) {
		p.changed.L = &p.mu
		p.changed.Wait()
	}
	p.opening++
}

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
