package update

import (
	"os"
	"path/filepath"
	"testing"

	"smartkiosk/kiosk/protocol/event"
)

// The state survives in a file. A damaged one counts as none: the update begins again.
func TestFile(t *testing.T) {
	m := newMachine(t)
	f := File(filepath.Join(t.TempDir(), "update.json"))
	if text, err := f.Load(); text != nil || err != nil {
		t.Errorf("before it is saved: %q, %v", text, err)
	}
	a := m.agent()
	a.Memory = f
	a.load()
	if err := a.save(state{Step: ended, Update: *m.offer, Result: event.UpdateRefused, Reason: event.UpdateBoard}); err != nil {
		t.Fatal(err)
	}
	b := m.agent()
	b.Memory = f
	if b.load(); b.state.Step != ended || b.state.Update.Digest != m.offer.Digest || m.mark != "u4" {
		t.Errorf("loaded: %+v, mark %q", b.state, m.mark)
	}
	if err := os.WriteFile(string(f), []byte(`{"step":"installing","upd`), 0o600); err != nil {
		t.Fatal(err)
	}
	if b.load(); b.state.Step != "" {
		t.Errorf("a damaged file gives %+v", b.state)
	}
}
