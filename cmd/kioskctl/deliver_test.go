//go:build linux

package main

import (
	"os"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"smartkiosk/cmd/internal/config"
	"smartkiosk/cmd/internal/devicekey"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/journal"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/sealkey"
	"smartkiosk/store"
)

func oldBox(ts *testscript.TestScript, _ bool, args []string) {
	c, err := config.Load(ts.MkAbs(args[0] + "/kioskd.toml"))
	ts.Check(err)
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	key, closer, err := devicekey.Open(c.Hub.Key, c.Hub.TPM)
	ts.Check(err)
	defer closer.Close()
	seal, err := sealkey.ReadPublic(c.Hub.Seal)
	ts.Check(err)
	sealer, err := event.NewSealer(c.ID, key, &seal.JSONWebKey)
	ts.Check(err)
	path := ts.MkAbs(args[2])
	outbox, err := store.Open(path, store.Options{Keep: 1 << 20})
	ts.Check(err)
	j := journal.Journal{Sealer: sealer, Outbox: outbox, Clocks: journal.Clocks{
		Now: time.Now, BootID: "boot", Uptime: func() time.Duration { return 0 }, Trusted: func() bool { return true },
	}}
	for range n - 1 { // the first visit also begins the epoch
		ts.Check(j.Write(stageOf(ts).t.Context(), kiosk.Record{Visit: "v", Outcome: kiosk.Granted}))
	}
	ts.Check(outbox.Close())
	_, err = os.Stat(path)
	ts.Check(err)
}
