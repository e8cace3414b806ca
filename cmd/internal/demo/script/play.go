package script

import (
	"context"
	"fmt"
	"sync"
	"time"

	"smartkiosk/kiosk"
)

// patience is how long a line waits for what it needs.
const patience = 10 * time.Second

// Machine is what a script is played on.
type Machine interface {
	Insert(card string) error
	Remove()
	Inserted() string // "" for no card
	SetHubReachable(bool)
	Outcomes() (n int, changed <-chan struct{}) // of visits, pulled from the feed; changed is closed at the next
}

// Play plays a script, on the machine and the panel that the machine's kiosk
// uses. The error is that of the first line that fails.
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

// insert begins a visit, and waits until the kiosk has: what it showed before
// counts no more.
func (p *player) insert(ctx context.Context, card string) error {
	if err := p.remove(ctx); err != nil {
		return err
	}
	before := p.panel.forgetVerdict()
	if err := p.machine.Insert(card); err != nil {
		return err
	}
	if seen, err := p.panel.await(ctx, func(v view) bool { return v.visits > before.visits }); err != nil {
		return fmt.Errorf("the kiosk takes no notice of the card: the screen is %s", seen)
	}
	return nil
}

// remove takes out what is in, and waits until the kiosk has seen it.
func (p *player) remove(ctx context.Context) error {
	if p.machine.Inserted() == "" {
		return nil
	}
	p.machine.Remove()
	if seen, err := p.panel.await(ctx, func(v view) bool { return v.resting() && v.screen.ID != kiosk.ScreenRemoveCard }); err != nil {
		return fmt.Errorf("the kiosk does not see that the card is gone: the screen is %s", seen)
	}
	return nil
}

// keys types one key after the other, each when the kiosk is done with the
// one before.
func (p *player) keys(ctx context.Context, keys string) error {
	for _, key := range keys {
		takes := func(v view) bool { return v.screen.TakesPIN() || kiosk.Key(key) == kiosk.KeyLanguage }
		seen, err := p.panel.await(ctx, takes)
		if err != nil {
			return fmt.Errorf("no screen takes keys: it is %s", seen)
		}
		select {
		case p.panel.typed <- key:
		case <-ctx.Done():
			return ctx.Err()
		}
		if _, err := p.panel.await(ctx, func(v view) bool { return v.activity > seen.activity }); err != nil {
			return fmt.Errorf("the kiosk does nothing about the key: the screen is %s", seen)
		}
	}
	return nil
}

func (p *player) expectScreen(ctx context.Context, id kiosk.ScreenID) error {
	if seen, err := p.panel.await(ctx, func(v view) bool { return v.screen.ID == id }); err != nil {
		return fmt.Errorf("expected screen %s, it is %s", id, seen)
	}
	return nil
}

// verdict is what a person was told. A Reason that is "" in an expectation
// stands for any.
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
		return fmt.Errorf("expected verdict %s, there is none; the screen is %s", want, seen)
	}
	if got.Outcome != want.Outcome || want.Reason != "" && got.Reason != want.Reason {
		return fmt.Errorf("expected verdict %s, it is %s", want, got)
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
			return fmt.Errorf("expected %d outcomes in the feed, there are %d", want, n)
		}
		select {
		case <-changed:
		case <-limit:
			return fmt.Errorf("expected %d outcomes in the feed, there are %d", want, n)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Panel is a panel whose person is a script.
type Panel struct {
	typed chan rune

	mu      sync.Mutex
	now     view
	changed chan struct{}
}

// view is what the panel shows and has shown.
type view struct {
	screen   kiosk.Screen
	verdict  verdict // the last one since it was forgotten
	activity int     // screens and sounds so far
	visits   int     // begun so far
}

// resting tells whether no visit goes on.
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

// NewPanel makes a panel for one kiosk.
func NewPanel() *Panel {
	return &Panel{typed: make(chan rune), changed: make(chan struct{})}
}

// Show takes the kiosk's screen.
func (p *Panel) Show(s kiosk.Screen) {
	p.update(func(v *view) {
		rested := v.resting()
		v.screen = s
		if rested && !v.resting() {
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

// Sound takes the kiosk's cue.
func (p *Panel) Sound(kiosk.Cue) { p.update(func(*view) {}) }

// OpenDoor does nothing: a script has no door.
func (p *Panel) OpenDoor() {}

// Keys are the script's.
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

// await waits until the view is as wanted, and gives it; after patience it
// gives the one that is not, and an error.
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
