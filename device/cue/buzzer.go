package cue

import (
	"context"
	"fmt"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"
)

// Note is one tone of a tune. A Pitch of 0 is silence. A buzzer with a fixed tone
// of its own sounds that tone at any other Pitch.
type Note struct {
	Pitch physic.Frequency
	For   time.Duration
}

// longest bounds a tune: a cue is not an alarm.
const longest = 5 * time.Second

// Buzzer plays tunes, one at a time.
type Buzzer struct {
	sound  func(physic.Frequency) error
	tunes  chan []Note // holds the latest
	errors chan error  // holds the latest
	stop   context.CancelFunc
	done   chan struct{}
}

// OpenBuzzer takes a buzzer with a tone of its own, which sounds while it is on.
func OpenBuzzer(o Output) (*Buzzer, error) {
	return openBuzzer(func(pitch physic.Frequency) error { return o.Set(pitch != 0) })
}

// PWM is a line that can output a square wave: a gpio.PinOut whose driver
// supports that, or a channel of OpenPWM.
type PWM interface {
	// PWM sets the wave. A duty of 0 is silence.
	PWM(duty gpio.Duty, f physic.Frequency) error
}

// OpenPiezo takes a sounder that has no tone of its own.
func OpenPiezo(p PWM) (*Buzzer, error) {
	return openBuzzer(func(pitch physic.Frequency) error {
		if pitch == 0 {
			return p.PWM(0, physic.KiloHertz)
		}
		return p.PWM(gpio.DutyHalf, pitch)
	})
}

func openBuzzer(sound func(physic.Frequency) error) (*Buzzer, error) {
	if err := sound(0); err != nil {
		return nil, fmt.Errorf("cannot open buzzer: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b := &Buzzer{sound: sound, tunes: make(chan []Note, 1), errors: make(chan error, 1), stop: cancel, done: make(chan struct{})}
	go b.run(ctx)
	return b, nil
}

// Play plays a tune of at most 5 s and stops the one that is playing. It returns
// without waiting. It must not be called by two goroutines at the same time.
func (b *Buzzer) Play(tune ...Note) {
	select {
	case <-b.tunes:
	default:
	}
	b.tunes <- tune
}

// Errors holds the latest error of the sounder. It is never closed.
func (b *Buzzer) Errors() <-chan error { return b.errors }

// Close stops the tune and silences the buzzer. Play must not be called after
// Close.
func (b *Buzzer) Close() error {
	b.stop()
	<-b.done
	return b.sound(0)
}

func (b *Buzzer) run(ctx context.Context) {
	defer close(b.done)
	var tune []Note
	var left time.Duration
	for {
		var next <-chan time.Time
		if len(tune) > 0 && left > 0 {
			note := tune[0]
			tune = tune[1:]
			d := min(note.For, left)
			left -= d
			b.try(note.Pitch)
			next = time.After(d)
		} else {
			b.try(0)
		}
		select {
		case <-ctx.Done():
			return
		case <-next:
		case tune = <-b.tunes:
			left = longest
		}
	}
}

func (b *Buzzer) try(pitch physic.Frequency) {
	if err := b.sound(pitch); err != nil {
		select {
		case <-b.errors:
		default:
		}
		b.errors <- fmt.Errorf("cannot sound: %w", err)
	}
}
