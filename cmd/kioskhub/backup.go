package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/kiosk/hub"
)

func (p program) backupCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "backup FOLDER",
		Short: "Back up the hub, also while it serves",
		Long: `Write a backup of the hub to a FOLDER that does not exist yet: events, cursors,
certificates and all other state, and the hub's own folder. Then read it again and
compare every file with its SHA-256. The hub may be serving meanwhile.

The backup holds the hub's private keys and personal data. Keep it as safe as the hub.
Challenges and one-time codes are left out, because a restore must not make them valid
a second time.`,
		Args: cli.Args("FOLDER"),
		RunE: func(c *cobra.Command, args []string) error { return p.backUp(c.Context(), dir, args[0]) },
	}
	dirFlag(c, &dir)
	return c
}

func (p program) backUp(ctx context.Context, dir, to string) error {
	b, err := hub.MakeBackup(ctx, dir, to)
	if err != nil {
		return err
	}
	events, size := sizeOf(b)
	_, err = fmt.Fprintf(p.stdout, "%s is a complete backup of %s: %d messages of events, %d streams, %d files, %d bytes.\n",
		to, date(b.Made), events, len(b.Streams), len(b.Files), size)
	return err
}

// sizeOf returns how many messages of events a backup has, and its size in bytes.
func sizeOf(b hub.Backup) (events uint64, size int64) {
	for _, s := range b.Streams {
		if s.Name == hub.EventsStream {
			events = s.Messages
		}
		size += s.Size
	}
	for _, f := range b.Files {
		size += f.Size
	}
	return events, size
}

func (p program) restoreCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "restore FOLDER",
		Short: "Make a hub of a backup",
		Long: `Make a hub of the backup in FOLDER, after every file was compared with its SHA-256.
The hub's folder (--dir) must be new or empty. If it is the folder of a hub without
jetstream/, its files stay, and only JetStream is restored.

What happened since the backup:
  - Kiosks send events that the hub does not have again, and say what they have lost.
  - A consumer whose cursor is later than the backup gets the error rolled-back until
    you decide with "kioskhub feed reset".
  - The hub completes its list of certificates from identities.json in its folder at
    the next start. If you have a newer copy of that file, put it there before. Without
    one, kiosks that were enrolled since need a new code (kioskhub codes new), and you
    must remove again what you have removed since (kioskhub kiosk remove).`,
		Args: cli.Args("FOLDER"),
		RunE: func(c *cobra.Command, args []string) error { return p.restore(c.Context(), args[0], dir) },
	}
	dirFlag(c, &dir)
	return c
}

func (p program) restore(ctx context.Context, from, dir string) error {
	b, err := hub.Restore(ctx, from, dir)
	if err != nil {
		return err
	}
	events, _ := sizeOf(b)
	_, err = fmt.Fprintf(p.stdout, `%s is the hub as of %s, with %d messages of events. Next:
  put a newer identities.json into it, if you have one; or enrol again the kiosks that
  were enrolled since, and remove again those that were removed since
  kioskhub serve --dir %[1]s
`, dir, date(b.Made), events)
	return err
}
