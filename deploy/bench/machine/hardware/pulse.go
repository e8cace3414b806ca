//go:build linux

package hardware

import "time"

// Pulse tells for how much of a time the machine ran. A machine whose host has
// much else to do stands still now and then, and all its programs with it; one
// that does nothing but wake every 10 ms notices.
type Pulse struct {
	stop, stopped chan struct{}
	beats         []time.Duration // when it woke, by CLOCK_MONOTONIC
}

// beat is the time from one waking to the next.
const beat = 10 * time.Millisecond

// TakePulse begins.
func TakePulse() *Pulse {
	p := &Pulse{stop: make(chan struct{}), stopped: make(chan struct{})}
	go func() {
		defer close(p.stopped)
		tick := time.NewTicker(beat)
		defer tick.Stop()
		for {
			p.beats = append(p.beats, monotonic())
			select {
			case <-tick.C:
			case <-p.stop:
				p.beats = append(p.beats, monotonic())
				return
			}
		}
	}()
	return p
}

// Stop ends it. It must come before Ran, and only once.
func (p *Pulse) Stop() {
	close(p.stop)
	<-p.stopped
}

// Ran tells for how much of a time, of that in which the pulse was taken, the
// machine ran: what is longer than two beats it stood still for.
func (p *Pulse) Ran(from, to time.Duration) (ran time.Duration) {
	for i := 1; i < len(p.beats); i++ {
		ran += max(0, min(2*beat, min(to, p.beats[i])-max(from, p.beats[i-1])))
	}
	return ran
}
