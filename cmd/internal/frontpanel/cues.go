package frontpanel

import (
	"context"
	"time"

	"periph.io/x/conn/v3/physic"

	"smartkiosk/device/board"
	"smartkiosk/device/cue"
	"smartkiosk/device/line"
	"smartkiosk/kiosk"
)

// tunes are what each cue sounds like: pitch, and for how long. Rhythm alone
// tells them apart, for a buzzer with one tone and for who hears no pitch: a
// key is a tick, one refused a hum, attention two short ones; granted is two
// short and a long one and rises, denied two long ones and falls.
var tunes = map[kiosk.Cue][]cue.Note{
	kiosk.CueKey:          {tone(1200, 25)},
	kiosk.CueRefused:      {tone(240, 250)},
	kiosk.CueAttention:    {tone(520, 120), rest(60), tone(660, 120)},
	kiosk.CueGranted:      {tone(660, 90), rest(50), tone(780, 90), rest(50), tone(1050, 450)},
	kiosk.CueDenied:       {tone(330, 450), rest(150), tone(220, 700)},
	kiosk.CueOutOfService: {tone(220, 250), rest(150), tone(220, 250), rest(150), tone(220, 250), rest(150), tone(220, 250)},
}

func tone(hertz, milliseconds int) cue.Note {
	return cue.Note{Pitch: physic.Frequency(hertz) * physic.Hertz, For: time.Duration(milliseconds) * time.Millisecond}
}

func rest(milliseconds int) cue.Note { return tone(0, milliseconds) }

// buzzer gives cues by sound, the latest when there are several.
type buzzer struct{ cues chan kiosk.Cue }

func newBuzzer() *buzzer { return &buzzer{make(chan kiosk.Cue, 1)} }

func (b *buzzer) play(c kiosk.Cue) { replace(b.cues, c) }

// run plays until ctx ends.
func (b *buzzer) run(ctx context.Context, section board.Sounder, part *part) {
	for {
		part.is(b.playOn(ctx, section, part))
		if !line.Sleep(ctx, again) {
			return
		}
	}
}

// playOn plays until ctx ends or the buzzer fails.
func (b *buzzer) playOn(ctx context.Context, section board.Sounder, part *part) error {
	sounder, ok := opened(ctx, part.is, section.Open)
	if !ok {
		return nil
	}
	defer sounder.Close()
	select {
	case <-b.cues: // of before
	default:
	}
	for {
		select {
		case c := <-b.cues:
			sounder.Play(tunes[c]...)
		case err := <-sounder.Errors():
			return err
		case <-ctx.Done():
			// Its last cue is that of going out of service, if anything.
			return nil
		}
	}
}

// lamps light by the tone of a screen.
type lamps struct{ tones chan string }

func newLamps() *lamps { return &lamps{make(chan string, 1)} }

func (l *lamps) show(tone string) { replace(l.tones, tone) }

// run lights until ctx ends.
func (l *lamps) run(ctx context.Context, section *board.Lamps, part *part) {
	lights, ok := opened(ctx, part.is, section.Open)
	for ok {
		select {
		case tone := <-l.tones:
			part.is(lights.Show(tone == "good", tone == "busy" || tone == "attention", tone == "bad"))
		case <-ctx.Done():
			return
		}
	}
}

// replace puts a value into a channel that holds one, in place of an older one.
// It never waits.
func replace[T any](to chan T, value T) {
	for {
		select {
		case to <- value:
			return
		default:
		}
		select {
		case <-to:
		default:
		}
	}
}
