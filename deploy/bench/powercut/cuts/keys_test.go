package cuts

import (
	"errors"
	"os"
	"strings"
	"testing"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/store"
)

// sealedBox is an outbox with three records that are sealed to the first of two
// keys, and two that are sealed to the second.
const sealedBox = 8

// TestCheckKeysNotices breaks each promise about keys.
func TestCheckKeysNotices(t *testing.T) {
	path := func(folder, file string) string { return boxPath(folder, sealedBox) + file }
	var firstHub, firstFollowed []byte
	for _, test := range []struct {
		name   string
		change func(folder string) error
		say    func(*promise)
		want   string // "" when nothing is wrong
	}{
		{name: "sound"},
		{name: "a rotation that was begun is done", say: func(p *promise) { p.rotated, p.followed = 1, 1 }},
		{name: "a rotation that was begun is not done", say: func(p *promise) { p.rotating, p.following = 3, 3 }},
		{name: "one that was done is not", say: func(p *promise) { p.rotated, p.rotating = 3, 3 }, want: "the hub's newest key is number 2, not 3 to 3"},
		{name: "one that was not begun is done", say: func(p *promise) { p.followed, p.following = 1, 1 }, want: "the device uses key number 2, not 1 to 1"},
		{
			name: "what is followed is gone", change: func(folder string) error { return os.Remove(path(folder, ".seal.jwk")) },
			want: "the device uses key number 0, not 2 to 2",
		},
		{
			name: "what is followed is torn", change: func(folder string) error { return os.Truncate(path(folder, ".seal.jwk"), 100) },
			want: "cannot read sealing key",
		},
		{
			name: "the hub's are torn", change: func(folder string) error { return os.Truncate(path(folder, ".hub.jwk"), 100) },
			want: "cannot read sealing keys",
		},
		{
			name: "sealed to a key that is nowhere",
			change: func(folder string) error {
				return errors.Join(os.WriteFile(path(folder, ".hub.jwk"), firstHub, 0o600), os.WriteFile(path(folder, ".seal.jwk"), firstFollowed, 0o600))
			},
			say:  func(p *promise) { p.rotated, p.followed = 1, 1 },
			want: "record 4: cannot open event: " + event.ErrHubKey.Error(),
		},
		{
			name: "another record", change: func(folder string) error {
				s, err := store.Open(path(folder, ""), options(sealedBox))
				if err != nil {
					return err
				}
				_, err = s.Append(chain{box: sealedBox}.seal)
				return errors.Join(err, s.Close())
			},
			say: func(p *promise) { p.tried = 6 }, want: "record 6: cannot open event: ",
		},
	} {
		folder := t.TempDir()
		keys, err := openKeys(0, path(folder, ""))
		if err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(path(folder, ""), options(sealedBox))
		if err != nil {
			t.Fatal(err)
		}
		for _, records := range []int{3, 2} {
			firstHub, _ = os.ReadFile(path(folder, ".hub.jwk"))
			firstFollowed, _ = os.ReadFile(path(folder, ".seal.jwk"))
			if err := errors.Join(keys.Rotate(), keys.Follow()); err != nil {
				t.Fatal(err)
			}
			for range records {
				if _, err := s.Append(keys.Seal); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		p := &promise{old: -1, there: true, appended: 5, tried: 5, rotated: 2, rotating: 2, followed: 2, following: 2}
		if test.change != nil {
			if err := test.change(folder); err != nil {
				t.Fatal(err)
			}
		}
		if test.say != nil {
			test.say(p)
		}
		err = Checker{Keys: openKeys}.Check(folder, Promises{boxes: map[int]*promise{sealedBox: p}})
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}
