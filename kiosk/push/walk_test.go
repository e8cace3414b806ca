package push_test

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

var walkRounds = flag.Int("walk.rounds", 8, "random walks of TestWalk")

// TestWalk takes the steps of the model (kiosk/protocol/reconcile) at random, with a real
// outbox, pusher and hub. After each walk both sides go on by themselves, and the feed keeps
// the promises that the model keeps. The long run is
//
//	make longrun
func TestWalk(t *testing.T) {
	dir, url := makeHub(t)
	keys := kioskCredentials(t, filepath.Join(dir, "kiosks", "k1"))
	if err := flag.Set("rapid.checks", strconv.Itoa(*walkRounds)); err != nil {
		t.Fatal(err)
	}
	first := filepath.Join(t.TempDir(), "jetstream")
	// A hub that has started once, so that each walk begins with the same empty stream.
	w := newWorld(t, dir, url, t.TempDir(), keys)
	w.backUpHub(first)
	w.close()
	bundle := filepath.Join(dir, "kiosks", "k1")
	firstBundle := filepath.Join(t.TempDir(), "k1")
	if err := os.CopyFS(firstBundle, os.DirFS(bundle)); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		if err := errors.Join(os.RemoveAll(bundle), os.CopyFS(bundle, os.DirFS(firstBundle))); err != nil {
			t.Fatal(err)
		}
		at := filepath.Join(dir, "jetstream")
		// The hub would take the keys of the walk before from its list of certificates.
		if err := errors.Join(os.RemoveAll(at), os.RemoveAll(filepath.Join(dir, "identities.json"))); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(at, os.DirFS(first)); err != nil {
			t.Fatal(err)
		}
		w := newWorld(rt, dir, url, t.TempDir(), keys)
		defer w.close()
		w.walk(rt)
	})
}

func (w *world) walk(rt *rapid.T) {
	m := w.machines[0]
	file := func(name string) string { return filepath.Join(w.scratch, name) }
	late := []json.RawMessage{}
	var steps []string
	defer func() {
		if p := recover(); p != nil {
			rt.Logf("steps: %q\n%s", steps, m.log.Bytes())
			panic(p)
		}
	}()
	for range rapid.IntRange(4, 14).Draw(rt, "steps") {
		step := rapid.SampledFrom([]string{
			"record", "record", "record", "exchange", "exchange", "lose the answer", "deliver late", "prune", "take an image", "restore the image",
			"replace the SD card", "roll back the outbox", "lose an event", "back up the hub", "restore the hub",
			"copy the machine", "new key", "the copy records", "the copy exchanges",
		}).Draw(rt, "step")
		steps = append(steps, step)
		switch step {
		case "record":
			m.copyTo(file("before.db"))
			m.record()
		case "exchange":
			m.push()
		case "lose the answer":
			late = m.lostAnswer()
		case "deliver late":
			m.deliver(late)
		case "prune":
			m.prune()
		case "take an image":
			m.copyTo(file("image.db"))
		case "restore the image":
			if exists(file("image.db")) {
				m.restore(file("image.db"))
			}
		case "replace the SD card":
			m.replace()
		case "roll back the outbox":
			if exists(file("before.db")) {
				m.restore(file("before.db"))
			}
		case "lose an event":
			m.lose(len(m.kept()) - 2)
		case "back up the hub":
			w.backUpHub(file("backup"))
		case "restore the hub":
			if exists(file("backup")) {
				w.restoreHub(file("backup"))
			}
		case "copy the machine":
			if len(w.machines) == 1 {
				m.copyTo(file("copy/outbox.db"))
				w.add(file("copy"))
			}
		case "new key":
			w.newKey()
			for _, m := range w.machines { // the hub does not accept the former certificate any more
				m.credentials, m.former = w.keys, w.former
				m.closed(func() {})
			}
		case "the copy records":
			w.machines[len(w.machines)-1].record()
		case "the copy exchanges":
			w.machines[len(w.machines)-1].push()
		}
	}
	for range 2 {
		for _, m := range w.machines {
			m.record() // the next event reveals a gap that the kiosk does not know of
			m.push()
		}
	}
	w.check()
}
