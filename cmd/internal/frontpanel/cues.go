package frontpanel

import (
	"cmp"
	"context"
	"time"

	"periph.io/x/conn/v3/physic"

	"smartkiosk/device/board"
	"smartkiosk/device/cue"
	"smartkiosk/device/line"
	"smartkiosk/kiosk"
)

// tunes are the tones of each cue. Their rhythm alone tells them apart, for a buzzer
// with one pitch and for a person who cannot tell pitches apart: a key is one very
// short tone, a refused key one longer tone, attention two short tones, a reminder
// four. Granted is two short tones and a long one, and rises. Denied is two long
// tones, and falls.
var tunes = map[kiosk.Cue][]cue.Note{
	kiosk.CueKey:          {tone(1200, 25)},
	kiosk.CueRefused:      {tone(240, 250)},
	kiosk.CueAttention:    {tone(520, 120), rest(60), tone(660, 120)},
	kiosk.CueReminder:     {tone(660, 120), rest(60), tone(880, 120), rest(60), tone(660, 120), rest(60), tone(880, 120)},
	kiosk.CueGranted:      {tone(660, 90), rest(50), tone(780, 90), rest(50), tone(1050, 450)},
	kiosk.CueDenied:       {tone(330, 450), rest(150), tone(220, 700)},
	kiosk.CueOutOfService: {tone(220, 250), rest(150), tone(220, 250), rest(150), tone(220, 250), rest(150), tone(220, 250)},
}

func tone(hertz, milliseconds int) cue.Note {
	return cue.Note{Pitch: physic.Frequency(hertz) * physic.Hertz, For: time.Duration(milliseconds) * time.Millisecond}
}

func rest(milliseconds int) cue.Note { return tone(0, milliseconds) }

// buzzer plays cues. When several wait it plays the latest.
type buzzer struct {
	cues  chan kiosk.Cue
	tunes board.Cues // in place of the built-in ones
}

func newBuzzer(tunes board.Cues) *buzzer { return &buzzer{make(chan kiosk.Cue, 1), tunes} }

func (b *buzzer) tune(c kiosk.Cue) []cue.Note {
	if tune := b.tunes.Tune(string(c)); tune != nil {
		return tune
	}
	return tunes[c]
}

func (b *buzzer) play(c kiosk.Cue) { replace(b.cues, c) }

// run plays cues until ctx ends. It reopens a buzzer that fails.
func (b *buzzer) run(ctx context.Context, section board.Sounder, part *part) {
	for {
		part.setError(b.playOn(ctx, section, part))
		if !line.Sleep(ctx, reopenDelay) {
			return
		}
	}
}

// playOn plays cues until ctx ends or the buzzer fails.
func (b *buzzer) playOn(ctx context.Context, section board.Sounder, part *part) error {
	sounder, ok := openWithRetry(ctx, part.setError, section.Open)
	if !ok {
		return nil
	}
	defer sounder.Close()
	select {
	case <-b.cues: // drop a cue from before the buzzer was there
	default:
	}
	for {
		select {
		case c := <-b.cues:
			sounder.Play(b.tune(c)...)
		case err := <-sounder.Errors():
			return err
		case <-ctx.Done():
			// A last cue says at most that the kiosk goes out of service.
			return nil
		}
	}
}

// lamps show the tone of the current screen.
type lamps struct {
	tones chan string
	cues  board.Cues
}

func newLamps(cues board.Cues) *lamps { return &lamps{make(chan string, 1), cues} }

// lampCues maps a tone to the cue whose lamp shows it, and to the built-in lamp.
var lampCues = map[string]struct {
	cue  kiosk.Cue
	lamp string
}{
	"good":      {kiosk.CueGranted, "green"},
	"bad":       {kiosk.CueDenied, "red"},
	"attention": {kiosk.CueAttention, "yellow"},
	"busy":      {kiosk.CueAttention, "yellow"},
}

// lamp returns the lamp that is lit for a tone; "" for none.
func (l *lamps) lamp(tone string) string {
	by := lampCues[tone]
	return cmp.Or(l.cues.Lamp(string(by.cue)), by.lamp)
}

func (l *lamps) show(tone string) { replace(l.tones, tone) }

// run sets the lamps until ctx ends.
func (l *lamps) run(ctx context.Context, section *board.Lamps, part *part) {
	lights, ok := openWithRetry(ctx, part.setError, section.Open)
	for ok {
		select {
		case tone := <-l.tones:
			lamp := l.lamp(tone)
			part.setError(lights.Show(lamp == "green", lamp == "yellow", lamp == "red"))
		case <-ctx.Done():
			return
		}
	}
}

// replace sends a value to a channel with room for one, and drops the value that
// waits there. It never blocks.
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
