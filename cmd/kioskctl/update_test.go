//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"smartkiosk/cmd/internal/daemon"
	"smartkiosk/kiosk/update"
)

// slots is a RAUC that runs from a slot, and notes what it is asked for.
type slots struct {
	daemon.Installer
	booted string
	did    []string
}

func (s *slots) Status(context.Context) (compatible, slot, version string, err error) {
	if s.booted == "" {
		return "", "", "", errors.New("there is no RAUC")
	}
	return "smartkiosk-arm64", s.booted, "1.5.0", nil
}

func (s *slots) FallBack(context.Context) error { s.did = append(s.did, "fall back"); return nil }
func (s *slots) Restart(context.Context) error  { s.did = append(s.did, "restart"); return nil }

func TestFallback(t *testing.T) {
	for _, c := range []struct {
		what, trial, booted, says string
		did                       []string
	}{
		{"no trial", "", "rootfs.1", "No system is on trial.\n", nil},
		{"old system", "rootfs.0", "rootfs.0", "The machine runs its former system, from rootfs.0.\n", nil},
		{"new system", "rootfs.0", "rootfs.1", "The machine restarts from rootfs.0.\n", []string{"fall back", "restart"}},
		{"no RAUC", "rootfs.0", "", "", nil},
	} {
		t.Run(c.what, func(t *testing.T) {
			state := t.TempDir()
			if c.trial != "" {
				if err := errors.Join(os.Mkdir(filepath.Join(state, daemon.UpdateDir), 0o700), os.WriteFile(filepath.Join(state, daemon.UpdateDir, update.TrialFile), []byte(c.trial), 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			var out bytes.Buffer
			machine := &slots{booted: c.booted}
			err := program{stdout: &out}.fallBack(t.Context(), state, machine)
			if (err != nil) != (c.booted == "") || out.String() != c.says || !slices.Equal(machine.did, c.did) {
				t.Errorf("%v, %q, did %q", err, out.String(), machine.did)
			}
		})
	}
}
