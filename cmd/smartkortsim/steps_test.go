package main

import (
	"crypto/rsa"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/pcsctest"
	"smartkiosk/device/cardsim/testpki"
)

// stage contains what the steps of one script share.
type stage struct {
	t      testing.TB
	daemon *pcsctest.Daemon
}

// pcscd is the step "pcscd started", "killed", "restarted", "sees a card" or
// "sees removal".
func pcscd(ts *testscript.TestScript, _ bool, args []string) {
	s := ts.Value(stage{}).(*stage)
	switch what := strings.Join(args, " "); what {
	case "started":
		s.daemon = pcsctest.Start(s.t)
	case "killed":
		s.daemon.Kill()
	case "restarted":
		s.daemon.Restart(s.t)
	case "sees a card":
		s.daemon.AwaitCard(s.t)
	case "sees removal":
		s.daemon.AwaitRemoval(s.t)
	default:
		ts.Fatalf("pcscd %s?", what)
	}
}

// newKeys is the step "newkeys FILE". It fails the script if the card has a published
// key.
func newKeys(ts *testscript.TestScript, _ bool, args []string) {
	card, err := cardsim.Load(ts.MkAbs(args[0]))
	ts.Check(err)
	published, err := testpki.New(time.Now())
	ts.Check(err)
	for name, key := range card.Image().Keys {
		if published.Cards["valid"].Image().Keys[name].Private.(*rsa.PrivateKey).Equal(key.Private) {
			ts.Fatalf("the %s key of %s is a published one", name, args[0])
		}
	}
}

// tries is the step "tries FILE N". It fails the script unless the card in the file has
// N tries left.
func tries(ts *testscript.TestScript, _ bool, args []string) {
	card, err := cardsim.Load(ts.MkAbs(args[0]))
	ts.Check(err)
	if left := card.Image().PINs["pin"].Left; strconv.Itoa(left) != args[1] {
		ts.Fatalf("%s has %d tries left, not %s", args[0], left, args[1])
	}
}
