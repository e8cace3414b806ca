//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"smartkiosk/cmd/internal/checkup"
	"smartkiosk/cmd/internal/cli"
	"smartkiosk/cmd/internal/config"
	"smartkiosk/cmd/internal/daemon"
	"smartkiosk/cmd/internal/network"
	"smartkiosk/kiosk/protocol/hubapi"
)

// doctor examines a kiosk. Its checks get everything that they look at from here, so that
// tests can replace it.
type doctor struct {
	machine machine
	config  string // path of kioskd.toml

	disk         func(path string) (free, size uint64, err error)
	synchronised func() bool // whether a time server keeps the clock
	interfaces   func() ([]network.Interface, error)
	resolve      func(ctx context.Context, host string) ([]string, error)
	dial         func(ctx context.Context, network, address string) (net.Conn, error)
	installed    func(ctx context.Context) (version string, err error) // of kioskd's program file
	journal      func(ctx context.Context) ([]byte, error)             // log lines of kioskd and its service manager

	openCredentials func(*config.Config) (*hubapi.Credentials, io.Closer, error)

	// What earlier checks have read.
	settings    *config.Config // nil if it cannot be read
	credentials *hubapi.Credentials
	device      io.Closer // the key of credentials, which may be in a TPM; may be nil
	running     string    // version of the running kioskd
}

func (p program) doctor(config string) *doctor {
	return &doctor{
		machine: p.machine, config: config,
		disk: diskSpace,
		synchronised: func() bool {
			var t unix.Timex
			state, err := unix.Adjtimex(&t)
			return err == nil && state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0
		},
		interfaces:      network.Interfaces,
		resolve:         net.DefaultResolver.LookupHost,
		dial:            new(net.Dialer).DialContext,
		openCredentials: daemon.OpenCredentials,
		installed: func(ctx context.Context) (string, error) {
			out, err := exec.CommandContext(ctx, "kioskd", "version").Output()
			first, _, _ := strings.Cut(string(out), "\n")
			return strings.TrimPrefix(first, "kioskd "), err
		},
		journal: func(ctx context.Context) ([]byte, error) {
			return exec.CommandContext(ctx, "journalctl", "--unit=kioskd", "--boot", "--lines=2000", "--output=cat", "--no-pager").Output()
		},
	}
}

// diskSpace returns the free and the total bytes of the disk with this path.
func diskSpace(path string) (free, size uint64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, 0, err
	}
	return s.Bavail * uint64(s.Bsize), s.Blocks * uint64(s.Bsize), nil
}

func (p program) doctorCommand() *cobra.Command {
	var file, bundle string
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Find out what is wrong with a kiosk, and say what to do",
		Long: `Examine a kiosk: power, SD card, clock, network, hub, certificate, card reader, panel,
kioskd, outbox, policy, what is fetched on a schedule, updates, and versions. Each failure comes with what to do. A check that
depends on a failed one is not run. kioskd may be running, and doctor changes nothing.
Run it as root, because other users cannot read the kiosk's files.

Exit status: 1 if a check failed.`,
		Args: cli.Args(),
		RunE: func(c *cobra.Command, _ []string) error {
			d := p.doctor(file)
			report := d.examine(c.Context())
			if bundle != "" {
				if err := d.writeBundle(c.Context(), bundle, report); err != nil {
					return fmt.Errorf("cannot write bundle: %w", err)
				}
			}
			if asJSON {
				if err := p.printJSON(report); err != nil {
					return err
				}
			} else {
				report.Print(p.stdout)
			}
			if bundle != "" && !asJSON {
				fmt.Fprintf(p.stdout, "\n%s is for support. It has no keys, names or PINs.\n", bundle)
			}
			if report.Failed() {
				return cli.ErrNo
			}
			return nil
		},
	}
	c.Flags().StringVar(&file, "config", defaultConfig, "kioskd.toml, a `file`")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().StringVar(&bundle, "bundle", "", "also write a support `file` (.tar.gz) without keys and personal data")
	return c
}

// examine runs all checks.
func (d *doctor) examine(ctx context.Context) checkup.Report {
	defer func() {
		if d.device != nil {
			_ = d.device.Close() // nothing is lost
		}
	}()
	report := checkup.Report{Time: d.machine.now().UTC(), Machine: d.machine.model(), Checks: runChecks(ctx, d.checks())}
	if d.settings != nil {
		report.Kiosk = d.settings.ID
	}
	return report
}

// checks lists all checks. A check comes after those that it needs.
func (d *doctor) checks() []check {
	return []check{
		{name: "power", do: d.power},
		{name: "storage", do: d.storage},
		{name: "space", needs: []string{"storage"}, do: d.space},
		{name: "configuration", do: d.configuration},
		{name: "certificate", needs: []string{"configuration"}, do: d.certificate},
		{name: "clock", do: d.clock},
		{name: "network", do: d.network},
		{name: "dns", needs: []string{"network", "configuration"}, do: d.dns},
		{name: "hub", needs: []string{"dns"}, do: d.hub},
		{name: "tls", needs: []string{"hub", "certificate", "clock"}, do: d.tls},
		{name: "pcscd", do: d.pcscd},
		{name: "reader", needs: []string{"pcscd"}, do: d.reader},
		{name: "panel", needs: []string{"configuration"}, do: d.panel, parts: d.panelParts},
		{name: "kioskd", needs: []string{"configuration"}, do: d.kioskd},
		{name: "outbox", needs: []string{"configuration"}, do: d.outbox},
		{name: "policy", needs: []string{"configuration"}, do: d.policy},
		{name: "schedule", needs: []string{"kioskd"}, do: d.schedule},
		{name: "update", needs: []string{"kioskd"}, do: d.update},
		{name: "versions", do: d.versions},
	}
}
