package script

import (
	"context"
	"fmt"
	"strings"
	"time"

	"smartkiosk/kiosk"
)

// maxWords bounds the words of a heading.
const maxWords = 20

// Phones are a person's phone and the broker, for logins by phone.
type Phones interface {
	OpenPhone() error                 // a new phone opens the link, and goes to the broker
	LogInOnPhone(person string) error // there; "" gives up
	PhoneDigits() (string, error)     // that the phone shows
	PhoneShows() (string, error)      // the heading of its page
	SetBroker(state string) error     // up, down or slow
	Later(by time.Duration)           // lets the hub's clock run ahead
}

// takesKey reports whether a screen waits for a key.
func takesKey(s kiosk.Screen, k kiosk.Key) bool {
	switch s.ID {
	case kiosk.ScreenWelcome:
		return k == kiosk.KeyLanguage || k == kiosk.KeyPrivacy || k == kiosk.KeyPhone && s.ByPhone
	case kiosk.ScreenLink, kiosk.ScreenOnPhone:
		return true
	case kiosk.ScreenGranted, kiosk.ScreenDenied, kiosk.ScreenCancelled, kiosk.ScreenTimedOut, kiosk.ScreenFailed:
		return s.ByPhone && k == kiosk.KeyOK // there is no card to take
	}
	return s.TakesPIN() || k == kiosk.KeyLanguage
}

func parsePhoneOpen([]string) (func(context.Context, *player) error, error) {
	return func(ctx context.Context, p *player) error {
		if err := p.expectScreen(ctx, kiosk.ScreenLink); err != nil {
			return err
		}
		p.panel.forgetVerdict()
		return p.machine.OpenPhone()
	}, nil
}

func parsePhoneLogin(args []string) (func(context.Context, *player) error, error) {
	return func(_ context.Context, p *player) error { return p.machine.LogInOnPhone(args[0]) }, nil
}

func parsePhoneCancel([]string) (func(context.Context, *player) error, error) {
	return func(_ context.Context, p *player) error { return p.machine.LogInOnPhone("") }, nil
}

func parseDigits(args []string) (func(context.Context, *player) error, error) {
	wrong := len(args) > 0
	if wrong && args[0] != "wrong" {
		return nil, fmt.Errorf("digits are those of the phone, or wrong, not %q", args[0])
	}
	return func(ctx context.Context, p *player) error {
		if err := p.expectScreen(ctx, kiosk.ScreenDigits); err != nil {
			return err
		}
		digits, err := p.machine.PhoneDigits()
		if err != nil {
			return err
		}
		if wrong {
			digits = map[bool]string{true: "0001", false: "0000"}[digits == "0000"]
		}
		return p.keys(ctx, digits+"#")
	}, nil
}

func parsePhone(args []string) (func(context.Context, *player) error, error) {
	want := strings.Join(args, " ")
	return func(ctx context.Context, p *player) error {
		limit := time.After(patience)
		for {
			heading, err := p.machine.PhoneShows()
			if err != nil || strings.Contains(heading, want) {
				return err
			}
			select {
			case <-time.After(patience / 50):
			case <-limit:
				return fmt.Errorf("expected the phone to show %q, got %q", want, heading)
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}, nil
}

func parseBroker(args []string) (func(context.Context, *player) error, error) {
	return func(_ context.Context, p *player) error { return p.machine.SetBroker(args[0]) }, nil
}

func parseLater(args []string) (func(context.Context, *player) error, error) {
	by, err := time.ParseDuration(args[0])
	if err != nil || by < 0 {
		return nil, fmt.Errorf("%q is not a duration such as 61s", args[0])
	}
	return func(_ context.Context, p *player) error { p.machine.Later(by); return nil }, nil
}
