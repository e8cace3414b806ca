package script

import (
	"context"
	"fmt"
	"sync"
	"time"

	"smartkiosk/kiosk"
)

// patience limits how long a line waits.
const patience = 10 * time.Second

// Machine is the system on which a script is played.
type Machine interface {
	Insert(card string) error
	Remove()
	Inserted() string // the name of the inserted card, or ""
	SetHubReachable(bool)
	Phones
	Outcomes() (n int, changed <-chan struct{}) // visits in the feed; changed is closed when n grows
}

// Play plays the script on m. p must be the panel of m's kiosk. It stops at the
// first line that fails and returns its error.
func (s *Script) Play(ctx context.Context, m Machine, panel *Panel) error {
	p := &player{machine: m, panel: panel}
	for _, step := range s.steps {
		if err := step.do(ctx, p); err != nil {
			return fmt.Errorf("%s:%d: %w", s.name, step.line, err)
		}
	}
	return nil
}

type player struct {
	machine Machine
	panel   *Panel
}

// insert inserts a card and waits until the kiosk has begun a visit. Earlier
// screens no longer count.
func (p *player) insert(ctx context.Context, card string) error {
	if err := p.remove(ctx); err != nil {
		return err
	}
	before := p.panel.forgetVerdict()
	if err := p.machine.Insert(card); err != nil {
		return err
	}
	if seen, err := p.panel.await(ctx, func(v view) bool { return v.visits > before.visits }); err != nil {
		return fmt.Errorf("the kiosk does not notice the card: the screen is %s", seen)
	}
	return nil
}

// remove removes the card and waits until the kiosk has noticed.
func (p *player) remove(ctx context.Context) error {
	if p.machine.Inserted() == "" {
		return nil
	}
	p.machine.Remove()
	if seen, err := p.panel.await(ctx, func(v view) bool { return v.resting() && v.screen.ID != kiosk.ScreenRemoveCard }); err != nil {
		return fmt.Errorf("the kiosk does not notice that the card is gone: the screen is %s", seen)
	}
	return nil
}

// keys types keys one by one, each after the kiosk has reacted to the one before.
func (p *player) keys(ctx context.Context, keys string) error {
	for _, key := range keys {
		takes := func(v view) bool { return takesKey(v.screen, kiosk.Key(key)) }
		seen, err := p.panel.await(ctx, takes)
		if err != nil {
			return fmt.Errorf("no screen accepts keys: the screen is %s", seen)
		}
		select {
		case p.panel.typed <- key:
		case <-ctx.Done():
			return ctx.Err()
		}
		if _, err := p.panel.await(ctx, func(v view) bool { return v.activity > seen.activity }); err != nil {
			return fmt.Errorf("the kiosk does not react to the key: the screen is %s", seen)
		}
	}
	return nil
}

func (p *player) expectScreen(ctx context.Context, id kiosk.ScreenID) error {
	if seen, err := p.panel.await(ctx, func(v view) bool { return v.screen.ID == id }); err != nil {
		return fmt.Errorf("expected screen %s, got %s", id, seen)
	}
	return nil
}

// verdict is what a person was told. In an expectation an empty Reason matches
// every reason.
type verdict struct {
	Outcome kiosk.Outcome
	Reason  kiosk.Reason
}

func (v verdict) String() string {
	switch {
	case v == verdict{}:
		return "none"
	case v.Reason == "":
		return string(v.Outcome)
	}
	return fmt.Sprintf("%s %s", v.Outcome, v.Reason)
}

func (p *player) expectVerdict(ctx context.Context, want verdict) error {
	seen, err := p.panel.await(ctx, func(v view) bool { return v.verdict != verdict{} })
	got := seen.verdict
	if err != nil {
		return fmt.Errorf("expected verdict %s, but there is no verdict: the screen is %s", want, seen)
	}
	if got.Outcome != want.Outcome || want.Reason != "" && got.Reason != want.Reason {
		return fmt.Errorf("expected verdict %s, got %s", want, got)
	}
	return nil
}

func (p *player) expectFeed(ctx context.Context, want int) error {
	limit := time.After(patience)
	for {
		n, changed := p.machine.Outcomes()
		if n == want {
			return nil
		}
		if n > want {
			return fmt.Errorf("expected %d outcomes in the feed, got %d", want, n)
		}
		select {
		case <-changed:
		case <-limit:
			return fmt.Errorf("expected %d outcomes in the feed, got %d", want, n)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Panel is a panel that a script uses.
type Panel struct {
	typed chan rune

	mu      sync.Mutex
	now     view
	changed chan struct{}
}

// view is what the panel shows and has shown so far.
type view struct {
	screen   kiosk.Screen
	verdict  verdict // the last one of this visit
	activity int     // screens and sounds so far
	visits   int     // begun so far
}

// resting reports whether no visit is in progress.
func (v view) resting() bool {
	switch v.screen.ID {
	case "", kiosk.ScreenWelcome, kiosk.ScreenRemoveCard, kiosk.ScreenOutOfService:
		return true
	}
	return false
}

func (v view) String() string {
	if v.screen.Reason != "" {
		return fmt.Sprintf("%s (%s)", v.screen.ID, v.screen.Reason)
	}
	return string(v.screen.ID)
}

// NewPanel returns a panel for one kiosk.
func NewPanel() *Panel {
	return &Panel{typed: make(chan rune), changed: make(chan struct{})}
}

// Show implements terminal.Panel.
func (p *Panel) Show(s kiosk.Screen) {
	p.update(func(v *view) {
		rested, byPhone := v.resting(), v.screen.ByPhone
		v.screen = s
		if rested && !v.resting() || byPhone && s.ID == kiosk.ScreenReading { // a card instead of a phone
			v.visits++
		}
		switch s.ID {
		case kiosk.ScreenGranted:
			v.verdict = verdict{Outcome: kiosk.Granted}
		case kiosk.ScreenDenied:
			v.verdict = verdict{kiosk.Denied, s.Reason}
		}
	})
}

// Sound implements terminal.Panel.
func (p *Panel) Sound(kiosk.Cue) { p.update(func(*view) {}) }

// OpenDoor does nothing, because a script has no door.
func (p *Panel) OpenDoor() {}

// Keys returns the script's keys.
func (p *Panel) Keys() <-chan rune { return p.typed }

func (p *Panel) forgetVerdict() view {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now.verdict = verdict{}
	return p.now
}

func (p *Panel) update(change func(*view)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.now)
	p.now.activity++
	close(p.changed)
	p.changed = make(chan struct{})
}

// await waits until wanted accepts the view, and returns the view. After patience it
// returns the view at that time and an error.
func (p *Panel) await(ctx context.Context, wanted func(view) bool) (view, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		p.mu.Lock()
		now, changed := p.now, p.changed
		p.mu.Unlock()
		if wanted(now) {
			return now, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return now, ctx.Err()
		}
	}
}
