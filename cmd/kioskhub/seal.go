package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/kiosk/hub"
)

func (p program) sealListCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "list",
		Short: "List the keys that events are sealed to, newest first",
		Args:  cli.Args(),
		RunE:  func(*cobra.Command, []string) error { return p.listSeals(dir) },
	}
	dirFlag(c, &dir)
	return c
}

func (p program) listSeals(dir string) error {
	keys, err := hub.SealingKeys(dir)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
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

func (p program) sealRotateCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Make a new key that kiosks seal events to",
		Long:  "Make a new key that kiosks seal events to. A running hub reads it by itself. If\nseveral hubs serve together, copy seal.jwk to the others at once.",
		Args:  cli.Args(),
		RunE:  func(*cobra.Command, []string) error { return p.rotateSeal(dir) },
	}
	dirFlag(c, &dir)
	return c
}

func (p program) rotateSeal(dir string) error {
	id, err := hub.RotateSealingKey(dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, `%s
Kiosks hear of it when they next ask the hub (ask_every), and seal to it then.
What is sealed to the keys before is opened as ever, until you retire them:
  kioskhub seal list
Back up seal.jwk now: what is sealed to this key, nothing else opens.
`, id)
	return nil
}

func (p program) sealRetireCommand() *cobra.Command {
	var dir string
	var yes bool
	c := &cobra.Command{
		Use:   "retire KEY",
		Short: "Delete a key that events are no longer sealed to",
		Long:  "Delete a key that events are no longer sealed to; \"kioskhub seal list\" shows the\nkeys. Without --yes the command deletes nothing and says what could no longer be\nread.",
		Args:  cli.Args("KEY"),
		RunE:  func(_ *cobra.Command, args []string) error { return p.retireSeal(dir, args[0], yes) },
	}
	dirFlag(c, &dir)
	c.Flags().BoolVar(&yes, "yes", false, "delete the key")
	return c
}

func (p program) retireSeal(dir, id string, yes bool) error {
	keys, err := hub.SealingKeys(dir)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(keys, func(k hub.SealingKey) bool { return k.ID == id })
	if i < 0 {
		return fmt.Errorf("there is no sealing key %s", id)
	}
	p.warn(keys[i])
	if !yes {
		return errors.New("nothing was deleted: --yes is missing")
	}
	if err := hub.RetireSealingKey(dir, id); err != nil {
		return err
	}
	fmt.Fprintln(p.stdout, "It is deleted. Copies of seal.jwk still have it.")
	return nil
}

// warn prints which events can be opened with this key only.
func (p program) warn(k hub.SealingKey) {
	if k.Replaced.IsZero() {
		fmt.Fprintf(p.stdout, "Key %s is the one that events are sealed to now.\n", k.ID)
		return
	}
	kiosks := "No kiosk in kiosks/ has begun with it or before it."
	if len(k.Kiosks) > 0 {
		kiosks = "These may have sealed events to it: " + strings.Join(k.Kiosks, " ") + "."
	}
	fmt.Fprintf(p.stdout, `Key %s, made %s and replaced %s, is the only one that opens what is sealed to it:
- What waits on kiosks. In the feed a stand-in would take the place of each of
  these events; the kiosk would keep it aside, sealed. %s
  "kioskctl events list" on a kiosk tells what waits there: check those that were
  away since %[3]s.
- Copies of outboxes, what "kioskctl events export" printed, and files that were
  set aside as damaged.
What the hub has stored is not sealed, and stays readable.
`, k.ID, date(k.Made), date(k.Replaced), kiosks)
}
