package hub

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"smartkiosk/kiosk/protocol/apihttp"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/hubpolicy"
)

// Limits keep one client from slowing down the others. They are far above what a kiosk or
// a consumer needs, so an honest client never meets them.
const (
	// Of one identity.
	requestRate    = 500.0 // requests a second
	requestBurst   = 1000
	challengeRate  = 20.0 // challenges a second
	challengeBurst = 100
	maxRequests    = 32 // requests that are being answered
	maxPolls       = 8  // long polls among them
	maxBatches     = 3  // batches of events that are being received; a kiosk sends two at a time
	maxConnections = 16 // the hub closes the oldest one for the next
	handshakeRate  = 10.0
	handshakeBurst = 60
	maxStoredADay  = 2 << 30 // bytes of events in a day (UTC): a full outbox twice
	maxDownloads   = 2       // of pieces of updates; a kiosk needs one, and one that has broken may not have ended
	maxServedADay  = 4 << 30 // bytes of updates in a day (UTC)

	// Of one source address, for handshakes that do not lead to an accepted client.
	wastedRate  = 25.0 // a second
	wastedBurst = 100

	// Of all identities together.
	maxAllDownloads = 32              // of pieces of updates
	maxAllBatches   = 12              // each takes up to 16 MB while it is opened
	maxStreams      = 32              // HTTP/2 streams of one connection
	maxPending      = 256             // connections in their handshake; the hub closes the oldest one for the next
	batchWait       = 8 * time.Second // that a batch waits for its turn
	limitRetry      = time.Second     // Retry-After of a request over a limit
	storedRetry     = time.Minute     // the same for maxStoredADay
	forgetIdentity  = 10 * time.Minute
)

// bucket is a token bucket. The zero value is full.
type bucket struct {
	spent float64
	at    time.Time
}

// take takes a token, and reports whether there was one.
func (b *bucket) take(now time.Time, rate, burst float64) bool {
	if b.left(now, rate, burst) < 1 {
		return false
	}
	b.spent++
	return true
}

// left returns how many tokens there are, and forgets what was spent before.
func (b *bucket) left(now time.Time, rate, burst float64) float64 {
	b.spent = max(0, b.spent-now.Sub(b.at).Seconds()*rate)
	b.at = now
	return burst - b.spent
}

// putBack puts a token back.
func (b *bucket) putBack() { b.spent = max(0, b.spent-1) }

// usage is what one identity uses of the hub.
type usage struct {
	requests, challenges, handshakes bucket
	active, polls                    int
	batches                          []*batchSlot // the oldest first
	stored, day                      int64        // bytes of events on this day, see hubpolicy.Day
	downloads                        int
	served, servedDay                int64 // bytes of updates on this day
	seen                             time.Time
}

// batchSlot is a batch of events that is being received.
type batchSlot struct{ cancel func() }

// limiter counts what each identity uses. The zero value is ready for use.
type limiter struct {
	mu      sync.Mutex
	users   map[hubapi.Identity]*usage
	swept   time.Time
	batches chan struct{} // a slot for each batch of all identities

	downloads int // of all identities
}

func newLimiter() *limiter {
	return &limiter{users: map[hubapi.Identity]*usage{}, batches: make(chan struct{}, maxAllBatches)}
}

// of returns an identity's usage. The caller holds mu.
func (l *limiter) of(id hubapi.Identity, now time.Time) *usage {
	if now.Sub(l.swept) > forgetIdentity {
		for other, u := range l.users {
			if u.active == 0 && len(u.batches) == 0 && now.Sub(u.seen) > forgetIdentity && (u.stored == 0 || u.day != hubpolicy.Day(now)) && (u.served == 0 || u.servedDay != hubpolicy.Day(now)) {
				delete(l.users, other)
			}
		}
		l.swept = now
	}
	u := l.users[id]
	if u == nil {
		u = &usage{}
		l.users[id] = u
	}
	u.seen = now
	return u
}

// The kinds of abuse, as the log names them.
const (
	tooManyRequests   = "too many requests"
	tooManyChallenges = "too many challenges"
	tooManyAtOnce     = "too many requests at the same time"
	tooManyPolls      = "too many long polls"
	tooManyHandshakes = "too many connections"
	tooManyWasted     = "too many refused connections from one address"
	tooManyPending    = "too many unfinished handshakes"
	tooMuchStored     = "too many bytes of events in a day"
	tooManyDownloads  = "too many downloads at the same time"
	tooMuchServed     = "too many bytes of updates in a day"
	failedConnection  = "failed connections"

	unacceptedCertificate = "certificate is not accepted"
	wrongCode             = "code is refused"
)

// begin counts a request. It returns the limit that the request exceeds, or else a
// function to call after the answer.
func (l *limiter) begin(id hubapi.Identity, r *http.Request) (end func(), exceeded string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	u := l.of(id, now)
	poll := isPoll(r)
	switch {
	case !u.requests.take(now, requestRate, requestBurst):
		return nil, tooManyRequests
	case r.URL.Path == "/v1/challenges" && !u.challenges.take(now, challengeRate, challengeBurst):
		return nil, tooManyChallenges
	case u.active >= maxRequests:
		return nil, tooManyAtOnce
	case poll && u.polls >= maxPolls:
		return nil, tooManyPolls
	case r.URL.Path == "/v1/events" && u.day == hubpolicy.Day(now) && u.stored >= maxStoredADay:
		return nil, tooMuchStored
	}
	u.active++
	if poll {
		u.polls++
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		u.active--
		if poll {
			u.polls--
		}
	}, ""
}

func isPoll(r *http.Request) bool {
	wait := r.URL.Query().Get("wait")
	return wait != "" && wait != "0"
}

// store counts bytes of events that the hub has taken from an identity.
func (l *limiter) store(id hubapi.Identity, bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	u := l.of(id, now)
	if today := hubpolicy.Day(now); u.day != today {
		u.day, u.stored = today, 0
	}
	u.stored += bytes
}

// beginDownload counts a download of a piece of an update. It returns the limit that the
// download exceeds, or else a function to call after it with the bytes that were sent.
func (l *limiter) beginDownload(id hubapi.Identity) (end func(bytes int64), exceeded string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.of(id, time.Now())
	if today := hubpolicy.Day(u.seen); u.servedDay != today {
		u.servedDay, u.served = today, 0
	}
	switch {
	case u.served >= maxServedADay:
		return nil, tooMuchServed
	case u.downloads >= maxDownloads, l.downloads >= maxAllDownloads:
		return nil, tooManyDownloads
	}
	u.downloads++
	l.downloads++
	return func(bytes int64) {
		l.mu.Lock()
		defer l.mu.Unlock()
		u.downloads--
		l.downloads--
		u.served += bytes
	}, ""
}

// handshake counts a connection, and reports whether the identity may have it.
func (l *limiter) handshake(id hubapi.Identity) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	return l.of(id, now).handshakes.take(now, handshakeRate, handshakeBurst)
}

// beginBatch waits until the hub has room for one more batch of events. It returns a
// function to call when the batch is received and opened, or nil if there was no room
// within batchWait.
//
// If this identity has too many batches already, the oldest one is cancelled: a kiosk
// whose connection broke sends its events again, while the hub still waits for the end of
// the first ones.
func (l *limiter) beginBatch(ctx context.Context, id hubapi.Identity, cancel func()) (end func()) {
	b := &batchSlot{cancel}
	l.mu.Lock()
	u := l.of(id, time.Now())
	if len(u.batches) >= maxBatches {
		u.batches[0].cancel()
		u.batches = u.batches[1:]
	}
	u.batches = append(u.batches, b)
	l.mu.Unlock()
	remove := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		u.batches = slices.DeleteFunc(u.batches, func(other *batchSlot) bool { return other == b })
	}
	ctx, stop := context.WithTimeout(ctx, batchWait)
	defer stop()
	select {
	case l.batches <- struct{}{}:
		return func() { <-l.batches; remove() }
	case <-ctx.Done():
		remove()
		return nil
	}
}

// tooMany is the answer to a request over a limit.
func tooMany(exceeded string) *hubapi.Problem {
	p := apihttp.Problem(http.StatusTooManyRequests, hubapi.KindTooMany, "too many requests", exceeded)
	p.Wait = limitRetry
	if exceeded == tooMuchStored || exceeded == tooMuchServed {
		p.Wait = storedRetry
	}
	return p
}
