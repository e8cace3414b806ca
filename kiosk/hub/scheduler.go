package hub

import (
	"runtime"
	"sync"
	"time"
)

// scheduler puts requests for which a person waits at a kiosk before backlogs of
// events. One backlog alone would keep all processors and the disk busy for seconds.
//
// While a person waits, the hub opens one event or stores one message at a time,
// whoever sent it. So backlogs go on slowly, however many persons come. This lasts
// for lingerTime after each answer, for two reasons: a visit makes more than one
// request, and while all processors are busy the Go runtime polls the network every
// 10 ms only. The zero value is ready for use.
type scheduler struct {
	mu       sync.Mutex
	changed  sync.Cond
	waiting  int // persons who wait for an answer
	answered int // persons who got an answer within the last lingerTime
	opening  int // events that are being opened
	storing  int // messages that are being stored
}

// lingerTime is longer than a card needs to sign between a challenge and its verdict
// when the PIN was entered before.
const lingerTime = 250 * time.Millisecond

// beginPerson notes that a person waits. The caller calls answered when the person
// has the answer.
func (s *scheduler) beginPerson() (answered func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.waiting--
		s.answered++
		time.AfterFunc(lingerTime, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.answered--
			s.wake()
		})
	}
}

// beginOpening waits until the caller may open an event. The caller calls endOpening
// when it is done.
func (s *scheduler) beginOpening() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.mustWait() || s.opening >= runtime.GOMAXPROCS(0) {
		s.changed.L = &s.mu
		s.changed.Wait()
	}
	s.opening++
}

// endOpening ends what beginOpening began. It yields the processor, because the
// runtime would otherwise let the caller keep it for up to 10 ms.
func (s *scheduler) endOpening() {
	s.mu.Lock()
	s.opening--
	s.wake()
	s.mu.Unlock()
	runtime.Gosched()
}

// beginStoring waits until the caller may store a message. The caller calls stored
// when it is done.
func (s *scheduler) beginStoring() (stored func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.mustWait() {
		s.changed.L = &s.mu
		s.changed.Wait()
	}
	s.storing++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.storing--
		s.wake()
	}
}

// mustWait reports whether a person waits, or has just been answered, while other
// work for backlogs is already under way.
func (s *scheduler) mustWait() bool { return s.waiting+s.answered > 0 && s.opening+s.storing > 0 }

func (s *scheduler) wake() {
	s.changed.L = &s.mu
	s.changed.Broadcast()
}
