package hub

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
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

// story returns the numbers of a kiosk's events in the feed, and which of them are lost.
func (b *bed) story(h *Hub, kiosk string) (story []string) {
	b.t.Helper()
	read, err := h.read(b.t.Context(), reading{}, hubapi.Pull{Max: hubapi.MaxEvents})
	if err != nil {
		b.t.Fatal(err)
	}
	var events []struct{ Type, Source, Sequence string }
	if err := json.Unmarshal(read.Array(), &events); err != nil {
		b.t.Fatal(err)
	}
	for _, e := range events {
		number := strings.TrimLeft(e.Sequence, "0")
		switch {
		case e.Source != "urn:smartkiosk:kiosk:"+kiosk:
		case e.Type == event.TypeLost:
			story = append(story, "lost "+number)
		default:
			story = append(story, number)
		}
	}
	return story
}

// TestLostAfterStored has a kiosk of an older version lose events, of which the hub already has some, in each
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
	}{
		{"before the hub's last", 6, 2, 4, false, whole},
		{"up to before the hub's last", 6, 4, 5, false, whole},
		{"the hub's last", 4, 4, 4, false, whole},
		{"from the first to the hub's last", 4, 1, 4, false, whole},
		{"the hub's last, and the kiosk's", 4, 3, 4, true, []string{"1", "2", "3", "4", "5", "6", "7", "8"}},
		{"from before the hub's last to behind it", 4, 3, 6, false, []string{"1", "2", "3", "4", "lost 5", "lost 6", "7", "8"}},
		{"the same, and the kiosk's last", 4, 2, 6, true, []string{"1", "2", "3", "4", "lost 5", "lost 6", "7", "8"}},
		{"all behind the hub's last", 4, 5, 6, false, []string{"1", "2", "3", "4", "lost 5", "lost 6", "7", "8"}},
		{"all of them", 4, 1, 8, false, []string{"1", "2", "3", "4", "lost 5", "lost 6", "lost 7", "lost 8"}},
	} {
		for _, size := range []int{1, 3, 8} {
			if size == 1 && tt.newest {
				continue // the hub cannot know to which event the next one links; the kiosk sends both again
			}
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
				if !slices.Equal(got, tt.want) {
					t.Errorf("the feed has %q, want %q", got, tt.want)
				}
			})
		}
	}
}
