package hub

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
)

// lose makes the events that take the place of a range of a kiosk's chain, as the salvage
// of its outbox does. Each except the first links to the one before it. link is the link of
// an event that is made afterwards.
func (p *party) lose(from, through uint64, prev []byte) (batch []json.RawMessage, link []byte) {
	p.t.Helper()
	link = prev
	for sequence := from; sequence <= through; sequence++ {
		id, err := event.NewID(time.Now(), rand.Reader)
		if err != nil {
			p.t.Fatal(err)
		}
		sealed, next, err := p.seal.Seal(event.Header{
			ID: id, Sequence: sequence, Type: event.TypeLost, Time: time.Now(), BootID: "b1", Prev: link,
		}, event.Lost{From: from, Through: through})
		if err != nil {
			p.t.Fatal(err)
		}
		batch, link = append(batch, sealed), next
	}
	return batch, link
}

// story returns what the feed says about a kiosk. It fails unless each event is intact.
func (b *bed) story(h *Hub, kiosk string) (story []string) {
	b.t.Helper()
	read, err := h.read(b.t.Context(), reading{}, hubapi.Pull{Max: hubapi.MaxEvents})
	if err != nil {
		b.t.Fatal(err)
	}
	var events []struct {
		Type, Source, Sequence, JWS string
		Data                        event.Kept
	}
	if err := json.Unmarshal(read.Array(), &events); err != nil {
		b.t.Fatal(err)
	}
	for _, e := range events {
		number := strings.TrimLeft(e.Sequence, "0")
		switch d := e.Data; {
		case e.Type == event.TypeKept && d.Kiosk == kiosk:
			if e.Source != event.HubSource || strings.Count(d.Lost, ".") != 2 {
				b.t.Errorf("kept: %+v", e)
			}
			story = append(story, fmt.Sprintf("kept %d of %d-%d", d.Sequence, d.From, d.Through))
		case e.Source != "urn:smartkiosk:kiosk:"+kiosk:
		case e.Type == event.TypeLost:
			story = append(story, "lost "+number)
		default:
			story = append(story, number)
		}
	}
	return story
}

func (b *bed) tells(h *Hub, kiosk string, want ...string) {
	b.t.Helper()
	if got := b.story(h, kiosk); !slices.Equal(got, want) {
		b.t.Errorf("the feed has %q, want %q", got, want)
	}
}

// TestLostAfterStored has a kiosk lose events, of which the hub already has some, in each
// part of its chain. The kiosk then sends the remaining events in batches of several sizes,
// each batch to two hubs. The hubs must accept all events, and the feed must have each
// event once.
func TestLostAfterStored(t *testing.T) {
	b := newBed(t)
	urls, h := []string{b.serve(), b.serve()}, b.open()
	whole := []string{"1", "2", "3", "4", "5", "6", "7", "8"}
	kiosks := 0
	for _, tt := range []struct {
		name          string
		stored        int    // how many of the eight events the hub has
		from, through uint64 // the lost events
		newest        bool   // the events after them were made after the loss
		want          []string
		maybe         string // an event that the feed may have in addition
	}{
		{"before the hub's last", 6, 2, 4, false, whole, ""},
		{"up to before the hub's last", 6, 4, 5, false, whole, ""},
		{"the hub's last", 4, 4, 4, false, whole, "kept 4 of 4-4"},
		{"from the first to the hub's last", 4, 1, 4, false, whole, "kept 4 of 1-4"},
		{"the hub's last, and the kiosk's", 4, 3, 4, true, []string{"1", "2", "3", "4", "kept 4 of 3-4", "5", "6", "7", "8"}, ""},
		{"from before the hub's last to behind it", 4, 3, 6, false, []string{"1", "2", "3", "4", "kept 4 of 3-6", "lost 5", "lost 6", "7", "8"}, ""},
		{"the same, and the kiosk's last", 4, 2, 6, true, []string{"1", "2", "3", "4", "kept 4 of 2-6", "lost 5", "lost 6", "7", "8"}, ""},
		{"all behind the hub's last", 4, 5, 6, false, []string{"1", "2", "3", "4", "lost 5", "lost 6", "7", "8"}, ""},
		{"all of them", 4, 1, 8, false, []string{"1", "2", "3", "4", "kept 4 of 1-8", "lost 5", "lost 6", "lost 7", "lost 8"}, ""},
	} {
		for _, size := range []int{1, 3, 8} {
			t.Run(fmt.Sprintf("%s, by %d", tt.name, size), func(t *testing.T) {
				kiosks++
				k := b.kiosk(urls[0], fmt.Sprintf("k%d", kiosks))
				other := k.to(urls[1])
				all := k.events(int(tt.from) - 1)
				before := k.link
				all = append(all, k.events(int(tt.through-tt.from)+1)...)
				rest := *k
				all = append(all, k.events(8-int(tt.through))...)
				k.send(all[:tt.stored], uint64(tt.stored))

				lost, after := k.lose(tt.from, tt.through, before)
				if tt.newest {
					rest.link = after
					all = append(all[:tt.through], rest.events(8-int(tt.through))...)
				}
				all = slices.Replace(all, int(tt.from)-1, int(tt.through), lost...)
				for batch := range slices.Chunk(all, size) {
					for _, p := range []*party{k, other} {
						if _, err := p.SendEvents(t.Context(), batch); err != nil {
							t.Fatal(err)
						}
					}
				}
				k.send(nil, 8)
				k.send(all, 8)
				got := b.story(h, k.id)
				if tt.maybe != "" {
					// The hub records this event unless it sees at once that the next event
					// links to the lost one.
					got = slices.DeleteFunc(got, func(s string) bool { return s == tt.maybe })
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("the feed has %q, want %q", got, tt.want)
				}
			})
		}
	}
}

// A hub accepts only the loss itself without proof. It refuses events of another chain that
// come with the loss, and events that the kiosk has reported as lost.
func TestLostProvesNothingElse(t *testing.T) {
	b := newBed(t)
	k1, h := b.kiosk(b.serve(), "k1"), b.open()
	fork := *k1
	good := k1.events(6)
	k1.send(good[:4], 4)
	other := fork.events(3)
	lost, after := fork.lose(4, 4, fork.link)
	k1.wantProblem(append(slices.Clone(other), lost...), hubapi.KindConflict, 2, 0, "sequence 3")
	k1.wantProblem(append(other[:2:2], lost...), hubapi.KindConflict, 1, 0, "sequence 2")
	b.tells(h, "k1", "1", "2", "3", "4")

	k1.send(lost, 4)
	fork.sequence, fork.link = 4, after
	behind := fork.events(1)
	k1.send(behind, 5)
	k1.wantProblem(good[4:], hubapi.KindConflict, 0, 0, "sequence 5")
	b.tells(h, "k1", "1", "2", "3", "4", "kept 4 of 4-4", "5")
	// The kiosk loses them a second time, as with a failing disk.
	again, _ := fork.lose(4, 5, nil)
	k1.send(again, 5)
	b.tells(h, "k1", "1", "2", "3", "4", "kept 4 of 4-4", "5", "kept 5 of 4-5")
	k1.send(good[1:3], 3)
}

// If several hubs get the report of a loss at the same time, the stream has one record of
// it.
func TestLostAtHubsAtOnce(t *testing.T) {
	b := newBed(t)
	k1, h := b.kiosk(b.serve(), "k1"), b.open()
	parties := []*party{k1, k1.to(b.serve())}
	k1.send(k1.events(3), 3)
	lost, after := k1.lose(2, 5, nil)
	k1.sequence, k1.link = 5, after
	batch := append(lost, k1.events(2)...)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() { parties[i%2].send(batch, 7) })
	}
	all.Wait()
	b.tells(h, "k1", "1", "2", "3", "kept 3 of 2-5", "lost 4", "lost 5", "6", "7")
}
