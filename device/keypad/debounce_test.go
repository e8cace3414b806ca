package keypad

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// bounce is the longest time that contacts bounce in the tests. It is shorter
// than settled, as in every datasheet.
const bounce = 15 * time.Millisecond

// A key that bounces at random goes down once and up once: not before it moved,
// and not later than its bounce, the settling time and the looks together need.
func TestDebouncerAgainstRandomBounce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var d debouncer
		now := time.Unix(0, 0)
		look := func(contact bool) (down, up bool) {
			now = now.Add(time.Duration(rapid.IntRange(1, 7).Draw(t, "ms between looks")) * time.Millisecond)
			contacts := uint32(0)
			if contact {
				contacts = 1 << 5
			}
			wentDown, wentUp := d.look(now, contacts)
			if (wentDown|wentUp)&^(1<<5) != 0 {
				t.Fatalf("another key moved: %b %b", wentDown, wentUp)
			}
			return wentDown != 0, wentUp != 0
		}
		for press := range rapid.IntRange(1, 4).Draw(t, "presses") {
			for _, to := range []bool{true, false} {
				moved, changes := now, 0
				bouncing := time.Duration(rapid.Int64Range(0, int64(bounce)).Draw(t, "bounce"))
				for changes == 0 {
					contact := to
					if now.Sub(moved) < bouncing {
						contact = rapid.Bool().Draw(t, "contact")
					}
					down, up := look(contact)
					if down && !to || up && to {
						t.Fatalf("press %d: went the wrong way", press)
					}
					if down || up {
						changes++
					}
					if late := now.Sub(moved); late > bouncing+settled+7*looks*time.Millisecond {
						t.Fatalf("press %d: nothing after %v", press, late)
					}
				}
				for range rapid.IntRange(5, 20).Draw(t, "looks while it is steady") {
					if down, up := look(to); down || up {
						t.Fatalf("press %d: changed twice", press)
					}
				}
			}
		}
	})
}

func TestDebouncer(t *testing.T) {
	type look struct {
		ms                 int
		contacts, down, up uint32
	}
	for _, tt := range []struct {
		name  string
		looks []look
	}{
		{"a clean press", []look{{0, 1, 0, 0}, {5, 1, 0, 0}, {20, 1, 1, 0}, {25, 1, 0, 0}, {30, 0, 0, 0}, {40, 0, 0, 0}, {50, 0, 0, 1}}},
		{"a spike", []look{{0, 1, 0, 0}, {19, 1, 0, 0}, {20, 0, 0, 0}, {40, 0, 0, 0}}},
		{"a bounce starts it again", []look{{0, 1, 0, 0}, {15, 1, 0, 0}, {16, 0, 0, 0}, {17, 1, 0, 0}, {30, 1, 0, 0}, {37, 1, 1, 0}}},
		{"two looks far apart are not enough", []look{{0, 1, 0, 0}, {500, 1, 0, 0}, {505, 1, 1, 0}}},
		{"each key for itself", []look{{0, 1, 0, 0}, {10, 3, 0, 0}, {20, 3, 1, 0}, {30, 3, 2, 0}}},
		{"both in one look", []look{{0, 3, 0, 0}, {10, 3, 0, 0}, {20, 3, 3, 0}}},
		{"the last key", []look{{0, 1 << 31, 0, 0}, {10, 1 << 31, 0, 0}, {20, 1 << 31, 1 << 31, 0}}},
	} {
		var d debouncer
		for _, l := range tt.looks {
			down, up := d.look(time.UnixMilli(int64(l.ms)), l.contacts)
			if down != l.down || up != l.up {
				t.Errorf("%s: at %d ms: down %b up %b, want %b %b", tt.name, l.ms, down, up, l.down, l.up)
			}
		}
	}
}
