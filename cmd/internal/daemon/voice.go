package daemon

import (
	"context"
	"log/slog"
	"strings"
	"sync"

	"smartkiosk/device/speech"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/screen"
	"smartkiosk/kiosk/terminal"
)

// Speaker speaks one text at a time (device/speech).
type Speaker interface {
	Say(speech.Utterance)
	Results() <-chan error
}

// volumes are those that the volume key goes round.
var volumes = []int{speech.Normal, speech.Loud, speech.Quiet}

// maxKeys is how many keys may wait: more than a PIN and its #.
const maxKeys = 16

// voice is a panel that also speaks its screens. The repeat key speaks the screen again
// with the number of digits typed, the volume key at the next volume. Any other key stops
// the speech. A digit is never spoken, so that it sounds like any other. After a visit
// the volume is the normal one again (EN 301 549, 5.1.3.13).
type voice struct {
	terminal.Panel
	texts   *screen.Catalogue
	ok      string // label of the key that ends a PIN
	speaker Speaker
	keys    chan rune
	log     *slog.Logger

	mu       sync.Mutex
	shown    kiosk.Screen
	said     screen.Spoken
	language string // of what was said
	volume   int    // index in volumes
}

func newVoice(p terminal.Panel, texts *screen.Catalogue, ok string, speaker Speaker, log *slog.Logger) *voice {
	return &voice{Panel: p, texts: texts, ok: ok, speaker: speaker, keys: make(chan rune, maxKeys), log: log}
}

// Show shows and speaks a screen. A screen that differs only in the digits typed is not
// spoken again.
func (v *voice) Show(s kiosk.Screen) {
	v.Panel.Show(s)
	v.mu.Lock()
	defer v.mu.Unlock()
	if over := v.shown.ID; s.ID == kiosk.ScreenWelcome && over != kiosk.ScreenWelcome && over != kiosk.ScreenPrivacy {
		v.volume = 0
	}
	before := v.said
	v.shown, v.said = s, v.texts.Spoken(s, v.ok)
	typing := s.TakesPIN() && s.Typed > 0 && s.Notice == "" && !s.TimeShort
	if v.said.Text == before.Text && s.Language == v.language || typing && s.Language == v.language {
		return
	}
	text := v.said.Text
	if s.Language != v.language {
		text = join(v.said.Notice, text)
	}
	v.language = s.Language
	v.say(text)
}

// Keys receives the keys of the panel.
func (v *voice) Keys() <-chan rune { return v.keys }

// run acts on keys and passes them on, and logs why speech fails, until ctx ends.
func (v *voice) run(ctx context.Context) {
	works := true
	for {
		select {
		case key := <-v.Panel.Keys():
			v.press(kiosk.Key(key))
			select {
			case v.keys <- key:
			default: // no visit reads keys
			}
		case err := <-v.speaker.Results():
			if err != nil && works {
				v.log.Error("the kiosk cannot speak", "err", err)
			}
			works = err == nil
		case <-ctx.Done():
			return
		}
	}
}

func (v *voice) press(key kiosk.Key) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case key == kiosk.KeyVolume:
		v.volume = (v.volume + 1) % len(volumes)
		v.say(v.said.Text)
	case key == kiosk.KeyRepeat && v.shown.Typed > 0:
		v.say(join(v.said.Text, v.said.Entry+"."))
	case key == kiosk.KeyRepeat:
		v.say(v.said.Text)
	default:
		v.say("")
	}
}

// say needs mu, which also keeps calls of the speaker apart.
func (v *voice) say(text string) {
	v.speaker.Say(speech.Utterance{Voice: v.said.Voice, Volume: volumes[v.volume], Text: text})
}

func join(sentences ...string) string { return strings.TrimSpace(strings.Join(sentences, " ")) }
