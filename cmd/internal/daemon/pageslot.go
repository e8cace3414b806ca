package daemon

import (
	"context"
	"time"

	"smartkiosk/device/scproxy"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/terminal"
)

// pageSlot is a slot that the terminal shares with login pages in the browser. A
// card that is inserted while a page waits for one begins no visit. A card that was
// inserted before is offered to the page once: the visit decides whether it yields.
type pageSlot struct {
	terminal.Slot
	uses     func(context.Context) <-chan scproxy.Use
	newVisit func() string // returns the id of a new visit
}

// claimFor is how long an inserted card is kept for a page that waits. If the page
// does not use it in this time, a visit begins. A page that was left open and does
// not work any more must not prevent visits.
const claimFor = 10 * time.Second

func (s pageSlot) Watch(ctx context.Context) <-chan kiosk.Event {
	events := make(chan kiosk.Event)
	go func() {
		defer close(events)
		cards, uses := s.Slot.Watch(ctx), s.uses(ctx)
		c := claim{newVisit: s.newVisit}
		patience := time.NewTimer(claimFor)
		patience.Stop()
		for {
			var e kiosk.Event
			select {
			case card, ok := <-cards:
				if !ok {
					return
				}
				e = c.card(card)
			case use, ok := <-uses:
				if !ok {
					uses = nil // ctx has ended
					continue
				}
				e = c.use(use)
			case <-patience.C:
				e = c.giveUp()
			}
			switch e.(type) {
			case kiosk.CardClaimed, kiosk.CardWanted:
				patience.Reset(claimFor)
			}
			if c.state != claimed && c.state != offered {
				patience.Stop()
			}
			if e == nil {
				continue
			}
			select {
			case events <- e:
			case <-ctx.Done():
				return
			}
		}
	}()
	return events
}

// claim decides whether the card in the slot is for a login page or for a visit.
type claim struct {
	pages    scproxy.Use
	in       bool // a card that answered to reset is in the slot
	state    claimState
	newVisit func() string
}

type claimState int

const (
	unclaimed claimState = iota // no card, or a card that is in a visit or was in one
	claimed                     // for a page that has not used it yet
	offered                     // the same, if the visit yields it
	kept                        // was offered once, but the page did not use it
	used                        // a page uses or has used it
	returned                    // a page has used it and is done
)

// card returns the event for the terminal after an event of the slot.
func (c *claim) card(e kiosk.Event) kiosk.Event {
	c.state = unclaimed
	_, c.in = e.(kiosk.CardInserted)
	switch {
	case c.in && c.pages == scproxy.Awaited:
		c.state = claimed
		return kiosk.CardClaimed{}
	case c.in && c.pages == scproxy.InUse:
		c.state = used
		return kiosk.CardClaimed{}
	}
	return e
}

// use returns the event for the terminal when the pages' use of the card changes,
// or nil. A page can also use a card that was left in after its visit.
func (c *claim) use(pages scproxy.Use) kiosk.Event {
	c.pages = pages
	switch {
	case !c.in:
	case pages == scproxy.InUse && c.state == claimed:
		c.state = used
	case pages == scproxy.InUse:
		c.state = used
		return kiosk.CardClaimed{}
	case pages == scproxy.Awaited && c.state == unclaimed:
		c.state = offered
		return kiosk.CardWanted{}
	case pages == scproxy.Unused && (c.state == claimed || c.state == offered):
		return c.giveUp()
	case pages == scproxy.Unused && c.state == used:
		c.state = returned
		return kiosk.CardReturned{}
	}
	return nil
}

// giveUp begins a visit with a card that no page has used.
func (c *claim) giveUp() kiosk.Event {
	if c.state != claimed && c.state != offered {
		return nil
	}
	c.state = kept
	return kiosk.CardUnused{Visit: c.newVisit()}
}
