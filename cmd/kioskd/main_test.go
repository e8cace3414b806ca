package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/device/cardsim/pcsctest"
)

// TestMain starts a pcscd for the tests, and removes the programs that they built.
func TestMain(m *testing.M) {
	status := pcsctest.Run(m)
	if programs.dir != "" {
		_ = os.RemoveAll(programs.dir)
	}
	os.Exit(status)
}

func TestUsage(t *testing.T) {
	for _, tt := range []struct {
		args        []string
		out, failed string // parts of stdout and of the error
	}{
		{[]string{"help"}, "run ", ""},
		{[]string{"version"}, "\n", ""},
		{[]string{"serve"}, "", `unknown command "serve"`},
		{[]string{"run", "--config", "/nowhere/kioskd.toml"}, "", "cannot read configuration: open /nowhere/kioskd.toml"},
		{[]string{"run", "now"}, "", `unexpected argument "now"; see "kioskd run --help"`},
	} {
		var out bytes.Buffer
		err := cli.Run(t.Context(), command(), tt.args, nil, &out, &bytes.Buffer{})
		if !strings.Contains(out.String(), tt.out) {
			t.Errorf("%v prints %q", tt.args, out.String())
		}
		if tt.failed == "" && err != nil || tt.failed != "" && (err == nil || !strings.Contains(err.Error(), tt.failed)) {
			t.Errorf("%v: %v, want %q", tt.args, err, tt.failed)
		}
	}
}
