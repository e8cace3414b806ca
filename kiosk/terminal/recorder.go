package terminal

import (
	"context"
	"time"

	"smartkiosk/kiosk"
)

const (
	// Pauses between the retries of entries that could not be written.
	firstRetry = time.Second
	lastRetry  = 30 * time.Second

	// shownWithin is how long a report of what was shown waits for the next outcome, to
	// be written in the same commit.
	shownWithin = time.Second
)

// recorder writes entries to the outbox, in order. It writes an outcome at once, together
// with the reports that wait, and retries until they are on disk.
type recorder struct {
	*Terminal
	waiting []kiosk.Entry
	due     *time.Timer // nil while nothing waits
	retry   time.Duration
}

// run writes the entries until the mailbox is closed and empty, or ctx ends.
func (r *recorder) run(ctx context.Context) {
	more := r.entries.out
	for more != nil || len(r.waiting) > 0 {
		var due <-chan time.Time
		if r.due != nil {
			due = r.due.C
		}
		select {
		case e, ok := <-more:
			if !ok {
				more = nil
				r.write(ctx)
				continue
			}
			r.add(ctx, e)
		case <-due:
			r.write(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func (r *recorder) add(ctx context.Context, e kiosk.Entry) {
	r.waiting = append(r.waiting, e)
	switch e := e.(type) {
	case kiosk.Record:
		r.write(ctx)
	case kiosk.RecordShown:
		if r.Told != nil {
			r.Told(e)
		}
		if r.due == nil {
			r.due = time.NewTimer(shownWithin)
		}
	}
}

// write writes what waits and answers its outcomes.
func (r *recorder) write(ctx context.Context) {
	if len(r.waiting) == 0 {
		return
	}
	if r.due != nil {
		r.due.Stop()
		r.due = nil
	}
	if err := r.Journal.Write(ctx, r.waiting...); err != nil {
		r.retry = min(max(2*r.retry, firstRetry), lastRetry)
		if r.answer(func(visit string) kiosk.Event { return kiosk.RecordFailed{Visit: visit} }) > 0 {
			r.Log.Error("out of service: cannot write an outcome", "err", err, "retry_in", r.retry)
		} else {
			r.Log.Error("cannot write what was shown", "err", err, "retry_in", r.retry)
		}
		r.due = time.NewTimer(r.retry)
		return
	}
	r.answer(func(visit string) kiosk.Event { return kiosk.Recorded{Visit: visit} })
	r.waiting, r.retry = nil, 0
}

// answer puts an answer for each waiting outcome into the mailbox. It returns how many
// there are.
func (r *recorder) answer(event func(visit string) kiosk.Event) (outcomes int) {
	for _, e := range r.waiting {
		if record, ok := e.(kiosk.Record); ok {
			r.answers.put(event(record.Visit))
			outcomes++
		}
	}
	return outcomes
}
