package scproxy

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestUses: a page waits for a card from the moment when it asks for the readers,
// and uses the card from its first command to the end of its session. After a
// session that the page did not end, it waits again.
func TestUses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, s, card := newService(t)
		ctx, stop := context.WithCancel(t.Context())
		uses := service.Uses(ctx)
		expect := func(want Use) {
			t.Helper()
			synctest.Wait()
			select {
			case got := <-uses:
				if got != want {
					t.Fatalf("got %v, want %v", got, want)
				}
			default:
				t.Fatalf("no change, want %v", want)
			}
		}
		quiet := func(d time.Duration) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			select {
			case got := <-uses:
				t.Fatalf("%v after %v", got, d)
			default:
			}
		}
		p := newPage(t, service, "s1")
		list := func() { p.call("/scard/list/", "{}") }
		expect(Unused)
		p.call("/scard/version/", "")
		quiet(time.Second)
		list()
		expect(Awaited)
		quiet(awaitFor - time.Second)
		list()
		quiet(awaitFor - time.Second)
		time.Sleep(time.Second)
		expect(Unused)

		list()
		expect(Awaited)
		p.transmit("00A40000023F00")
		expect(InUse)
		list()
		p.post(origin, "/scard/disconnect/", `{"session":"s1"}`)
		expect(Unused)

		p.transmit("00A40000023F00")
		expect(InUse)
		time.Sleep(idle)
		expect(Awaited)
		quiet(awaitFor - time.Second)
		p.transmit("00A40000023F00")
		expect(InUse)
		s.Remove()
		expect(Unused)

		list()
		expect(Awaited)
		s.Insert(card)
		quiet(0)
		stop()
		synctest.Wait()
		if _, ok := <-uses; ok {
			t.Error("a change after the end")
		}
		service.Close()
		time.Sleep(awaitFor)
	})
}
