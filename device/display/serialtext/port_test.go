package serialtext

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// uart records the calls and their times.
type uart struct {
	begun time.Time
	told  []string
}

func (u *uart) note(what string) { u.told = append(u.told, what+" at "+time.Since(u.begun).String()) }

func (u *uart) Write(b []byte) (int, error) { return len(b), nil }
func (u *uart) Flush() error                { u.note("flushed"); return nil }
func (u *uart) Close() error                { u.note("closed"); return nil }

// TestFrameOnItsWay checks that neither Flush nor Close discards bytes that the
// line still has time to send.
func TestFrameOnItsWay(t *testing.T) {
	for name, c := range map[string]struct {
		bytes int
		want  []string
	}{
		"a frame":    {100, []string{"flushed at 100ms", "flushed at 200ms", "closed at 200ms"}},
		"far behind": {10000, []string{"flushed at 1.1s", "closed at 1.1s"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			u := &uart{begun: time.Now()}
			p := &port{line: u, perByte: time.Millisecond}
			write := func() {
				t.Helper()
				if n, err := p.Write(make([]byte, c.bytes)); n != c.bytes || err != nil {
					t.Errorf("%d, %v", n, err)
				}
			}
			flush := func() {
				t.Helper()
				if err := p.Flush(); err != nil {
					t.Error(err)
				}
			}
			write()
			flush()
			time.Sleep(100 * time.Millisecond)
			flush()
			write()
			flush()
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			if !slices.Equal(u.told, c.want) {
				t.Errorf("%s: %q, want %q", name, u.told, c.want)
			}
		})
	}
}
