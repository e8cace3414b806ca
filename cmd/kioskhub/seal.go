package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"smartkiosk/kiosk/hub"
)

func (m *Main) parseSealList(name string, args []string) error {
	fs := m.flags(name, "\n\nLists the keys that events are sealed to, newest first.\n")
	dir := dirFlag(fs)
	if _, err := arguments(fs, args); err != nil {
		return err
	}
	m.run = func(context.Context) error { return m.listSeals(*dir) }
	return nil
}

func (m *Main) listSeals(dir string) error {
	keys, err := hub.SealingKeys(dir)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(m.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KEY\tMADE\tUSE")
	for i, k := range keys {
		use := "events are sealed to it"
		if i > 0 {
			use = "opens what was sealed until kiosks heard of the next"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", k.ID, date(k.Made), use)
	}
	return w.Flush()
}

func date(t time.Time) string {
	if t.IsZero() {
		return "unknown"
	}
	return t.Format("2006-01-02 15:04:05Z")
}

func (m *Main) parseSealRotate(name string, args []string) error {
	fs := m.flags(name, "\n\nMakes a new key that kiosks seal events to. A hub that serves reads it by itself.\nWhere several hubs are one, copy seal.jwk to the others at once.\n")
	dir := dirFlag(fs)
	if _, err := arguments(fs, args); err != nil {
		return err
	}
	m.run = func(context.Context) error { return m.rotateSeal(*dir) }
	return nil
}

func (m *Main) rotateSeal(dir string) error {
	id, err := hub.RotateSealingKey(dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(m.stdout, `%s
Kiosks hear of it when they next ask the hub (ask_every), and seal to it then.
What is sealed to the keys before is opened as ever, until you retire them:
  kioskhub seal list
Back up seal.jwk now: what is sealed to this key, nothing else opens.
`, id)
	return nil
}

const sealRetireUsage = ` KEY

Deletes a key that events are sealed to no longer (kioskhub seal list). Without
--yes it says only what could not be read any more.

`

func (m *Main) parseSealRetire(name string, args []string) error {
	fs := m.flags(name, sealRetireUsage)
	dir := dirFlag(fs)
	yes := fs.Bool("yes", false, "delete it")
	key, err := arguments(fs, args, "KEY")
	if err != nil {
		return err
	}
	m.run = func(context.Context) error { return m.retireSeal(*dir, key[0], *yes) }
	return nil
}

func (m *Main) retireSeal(dir, id string, yes bool) error {
	keys, err := hub.SealingKeys(dir)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(keys, func(k hub.SealingKey) bool { return k.ID == id })
	if i < 0 {
		return fmt.Errorf("there is no sealing key %s", id)
	}
	m.warn(keys[i])
	if !yes {
		return errors.New("nothing was deleted: --yes is missing")
	}
	if err := hub.RetireSealingKey(dir, id); err != nil {
		return err
	}
	fmt.Fprintln(m.stdout, "It is deleted. Copies of seal.jwk still have it.")
	return nil
}

// warn says what only a key opens.
func (m *Main) warn(k hub.SealingKey) {
	if k.Replaced.IsZero() {
		fmt.Fprintf(m.stdout, "Key %s is the one that events are sealed to now.\n", k.ID)
		return
	}
	kiosks := "No kiosk in kiosks/ has begun with it or before it."
	if len(k.Kiosks) > 0 {
		kiosks = "These may have sealed events to it: " + strings.Join(k.Kiosks, " ") + "."
	}
	fmt.Fprintf(m.stdout, `Key %s, made %s and replaced %s, is the only one that opens what is sealed to it:
- What waits on kiosks. In the feed a stand-in would take the place of each of
  these events; the kiosk would keep it aside, sealed. %s
  "kioskctl events list" on a kiosk tells what waits there: check those that were
  away since %[3]s.
- Copies of outboxes, what "kioskctl events export" printed, and files that were
  set aside as damaged.
What the hub has stored is not sealed, and stays readable.
`, k.ID, date(k.Made), date(k.Replaced), kiosks)
}
