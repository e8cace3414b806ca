package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const (
	depth     = 12
	records   = 2 // at most, by both machines together
	disasters = 2 // at most: restore, replace, roll back, lose, copy, new key
	once      = 1 // at most: lost answers, images, backups; more of them lead to no new states
)

// world is a hub, a kiosk, maybe a second machine with the same identity, backups
// of both sides, and a batch that the network delivers late.
type world struct {
	hub      hub
	machines [2]*kiosk // the second is nil until somebody copies the first
	image    *kiosk
	backup   *hub
	late     *batch
	source   source
	keys     uint8
	recorded int
	mishaps  int
	lost     int // number of answers
	images   int
	backups  int

	dishonest error // see invariant 5

	acked map[ID]event // every event of the first machine's history that a hub ever acknowledged
	born  map[string]uint64
}

func (w world) clone() world {
	w.acked, w.born = cloneMap(w.acked), cloneMap(w.born)
	return w
}

func cloneMap[K comparable, V any](m map[K]V) map[K]V {
	c := make(map[K]V, len(m))
	for k, v := range m {
		c[k] = v
	}
	return c
}

func (w *world) set(i int, k kiosk) { w.machines[i] = &k }

// note remembers which numbers have existed.
func (w *world) note() {
	for _, m := range w.machines {
		if m != nil {
			for _, e := range m.outbox {
				w.born[e.Epoch] = max(w.born[e.Epoch], e.Sequence)
			}
		}
	}
}

// exchange sends the pending events of a machine. The answer may get lost.
func (w *world) exchange(i int, answered bool) {
	m := *w.machines[i]
	pending := m.pending()
	if len(pending.events) == 0 {
		return
	}
	var a answer
	w.hub, a = w.hub.receive(pending)
	if !answered {
		w.late = &pending
		return
	}
	for _, e := range pending.events {
		if slices.Contains(a.durable, e.ID) {
			w.acked[e.ID] = e
		}
	}
	k := m.handle(a, &w.source)
	for _, e := range k.outbox[len(m.outbox):] {
		for n := e.Open.From; n != 0 && n <= e.Open.Through; n++ {
			if w.hub.log.Has(Place{e.Open.Epoch, n}) {
				w.dishonest = fmt.Errorf("5: event %q/%d is named as lost, but the hub has it", e.Open.Epoch, n)
			}
		}
	}
	w.set(i, k)
	w.note()
}

type step struct {
	name string
	do   func(w *world) bool // returns false if the step is not possible here
}

func mishap(w *world) bool {
	w.mishaps++
	return w.mishaps <= disasters
}

var steps = []step{
	{"record", func(w *world) bool { return w.record(0) }},
	{"exchange", func(w *world) bool { w.exchange(0, true); return true }},
	{"lose the answer", func(w *world) bool { w.lost++; w.exchange(0, false); return w.lost <= once }},
	{"deliver late", func(w *world) bool {
		if w.late == nil {
			return false
		}
		w.hub, _ = w.hub.receive(*w.late)
		w.late = nil
		return true
	}},
	{"prune", func(w *world) bool { w.set(0, w.machines[0].prune()); return true }},
	{"take an image", func(w *world) bool { w.images++; w.image = w.machines[0]; return w.images <= once }},
	{"restore the image", func(w *world) bool {
		if w.image == nil || !mishap(w) {
			return false
		}
		w.machines[0] = w.image
		return true
	}},
	{"replace the SD card", func(w *world) bool {
		w.keys++
		w.set(0, kiosk{key: w.keys})
		return mishap(w)
	}},
	{"roll back the outbox", func(w *world) bool { w.set(0, w.machines[0].loseTail()); return mishap(w) }},
	{"lose an event", func(w *world) bool { w.set(0, w.machines[0].loseMiddle()); return mishap(w) }},
	{"back up the hub", func(w *world) bool { h := w.hub; w.backups++; w.backup = &h; return w.backups <= once }},
	{"restore the hub", func(w *world) bool {
		if w.backup == nil || !mishap(w) {
			return false
		}
		w.hub = *w.backup
		return true
	}},
	{"copy the machine", func(w *world) bool {
		if w.machines[1] != nil || !mishap(w) {
			return false
		}
		w.machines[1] = w.machines[0]
		return true
	}},
	{"new key", func(w *world) bool {
		w.keys++
		w.set(0, w.machines[0].newKey(w.keys))
		return mishap(w)
	}},
	{"the copy records", func(w *world) bool { return w.machines[1] != nil && w.record(1) }},
	{"the copy exchanges", func(w *world) bool {
		if w.machines[1] == nil {
			return false
		}
		w.exchange(1, true)
		return true
	}},
}

func (w *world) record(i int) bool {
	if w.recorded++; w.recorded > records {
		return false
	}
	w.set(i, w.machines[i].record(&w.source))
	w.note()
	return true
}

// settle lets the kiosks and the hub exchange messages until nothing is pending, and checks
// the invariants of the package's documentation.
func (w world) settle() error {
	w = w.clone()
	for i, m := range w.machines {
		if m == nil {
			continue
		}
		for rounds := 0; len(w.machines[i].pending().events) > 0; rounds++ {
			if rounds == 4 {
				return fmt.Errorf("1: machine %d still has %d events pending", i, len(w.machines[i].pending().events))
			}
			w.exchange(i, true)
		}
	}
	var after [2]*hub // see afterNext
	for i, m := range w.machines {
		if m == nil {
			continue
		}
		for _, e := range m.outbox {
			// If the hub was restored and the kiosk does not know that, the kiosk's next
			// event reveals the gap.
			if w.hub.has(e.ID) {
				continue
			}
			if after[i] == nil {
				h := w.afterNext(i)
				after[i] = &h
			}
			if !after[i].has(e.ID) {
				return fmt.Errorf("2: the hub lacks event %q/%d, which machine %d keeps", e.Epoch, e.Sequence, i)
			}
		}
	}
	if w.dishonest != nil {
		return w.dishonest
	}
	byNumber := map[Place]ID{}
	for n, e := range w.hub.feed {
		if w.hub.find(e.ID) != n {
			return fmt.Errorf("3: event %q/%d is in the feed twice", e.Epoch, e.Sequence)
		}
		before := w.hub.feed[:n]
		if e.Previous != "" && !slices.ContainsFunc(before, func(o event) bool {
			return o.ID == e.Previous || o.Open != nil && o.Open.Vouches == e.ID
		}) {
			return fmt.Errorf("4: event %q/%d comes before its previous one", e.Epoch, e.Sequence)
		}
		if o := e.Open; o != nil && o.From != 0 {
			if o.Through < o.From || o.Through > w.born[o.Epoch] {
				return fmt.Errorf("5: numbers %d to %d of epoch %q are named as lost, but there were %d", o.From, o.Through, o.Epoch, w.born[o.Epoch])
			}
		}
		number := e.Place
		if other, ok := byNumber[number]; ok && other != e.ID && !slices.Contains(w.hub.forks, e.Epoch) {
			return fmt.Errorf("7: no alarm for two events %q/%d", e.Epoch, e.Sequence)
		}
		byNumber[number] = e.ID
	}
	return w.unnamed(after[0])
}

// afterNext returns the hub after the machine has recorded one more event.
func (w world) afterNext(i int) hub {
	w = w.clone()
	w.set(i, w.machines[i].record(&w.source))
	for range 4 {
		w.exchange(i, true)
	}
	return w.hub
}

// unnamed checks invariant 6. h is what afterNext(0) returned, or nil.
func (w world) unnamed(h *hub) error {
	m := w.machines[0]
	for id, e := range w.acked {
		if w.hub.has(id) {
			continue
		}
		if h == nil {
			next := w.afterNext(0)
			h = &next
		}
		if h.has(id) || !slices.ContainsFunc(m.outbox, func(k kept) bool { return k.Epoch == e.Epoch && k.Sequence > e.Sequence }) {
			continue
		}
		// Another branch of a fork may have the same number.
		if slices.ContainsFunc(h.feed, func(o event) bool { return o.Epoch == e.Epoch && o.Sequence == e.Sequence }) {
			continue
		}
		if !slices.ContainsFunc(h.feed, func(o event) bool {
			return o.Open != nil && o.Open.Epoch == e.Epoch && o.Open.From <= e.Sequence && e.Sequence <= o.Open.Through
		}) {
			return fmt.Errorf("6: event %q/%d was acknowledged, is gone and is not named as lost", e.Epoch, e.Sequence)
		}
	}
	return nil
}

// key returns a text that is the same for worlds that differ only in how they came about.
func (w world) key() string {
	var b []byte
	add := func(e event) {
		b = append(append(append(append(b, e.ID...), e.Epoch...), byte(e.Sequence), '<'), e.Previous...)
		b = append(append(append(b, '<'), e.After.Epoch...), byte(e.After.Sequence), e.key)
		if e.Open != nil {
			b = append(append(append(b, 'o'), e.Open.Epoch...), byte(e.Open.From), byte(e.Open.Through))
			b = append(b, e.Open.Vouches...)
		}
		b = append(b, ';')
	}
	hub := func(h *hub) {
		if h != nil {
			for _, e := range h.feed {
				add(e)
			}
			for _, f := range h.forks {
				b = append(b, f...)
			}
		}
		b = append(b, '|')
	}
	machine := func(k *kiosk) {
		if k != nil {
			for _, e := range k.outbox {
				b = append(b, e.position)
				add(e.event)
			}
			for _, id := range slices.Sorted(slices.Values(k.acked)) {
				b = append(b, id...)
			}
			b = append(append(append(b, ';'), k.epoch...), byte(k.last.Sequence), k.next)
			b = append(append(append(b, k.lastID...), ';', k.key), k.former...)
		}
		b = append(b, '|')
	}
	hub(&w.hub)
	hub(w.backup)
	machine(w.machines[0])
	machine(w.machines[1])
	machine(w.image)
	if w.late != nil {
		for _, e := range w.late.events {
			add(e)
		}
	}
	return string(append(b, byte(w.recorded), byte(w.mishaps), byte(w.lost), byte(w.images), byte(w.backups)))
}

// TestEveryHistory explores every history of up to depth steps.
func TestEveryHistory(t *testing.T) {
	type node struct {
		world
		path []byte
	}
	begin := world{acked: map[ID]event{}, born: map[string]uint64{}}
	begin.set(0, kiosk{})
	frontier := []node{{begin, nil}}
	seen := map[string]bool{begin.key(): true}
	bound := depth
	if testing.Short() {
		bound = 8
	}
	for range bound {
		var next []node
		for _, n := range frontier {
			for s, step := range steps {
				w := n.world.clone()
				if !step.do(&w) || w.mishaps > disasters {
					continue
				}
				if key := w.key(); seen[key] {
					continue
				} else {
					seen[key] = true
				}
				path := append(slices.Clone(n.path), byte(s))
				if err := w.settle(); err != nil {
					var names []string
					for _, s := range path {
						names = append(names, steps[s].name)
					}
					t.Fatalf("after %s: %v", strings.Join(names, ", "), err)
				}
				next = append(next, node{w, path})
			}
		}
		frontier = next
		t.Logf("%d states", len(seen))
	}
}
