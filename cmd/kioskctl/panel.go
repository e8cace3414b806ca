//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/device/board"
)

// defaultConfig is the configuration of an installed kioskd.
const defaultConfig = "/etc/smartkiosk/kioskd.toml"

func (p program) panelCommand() *cobra.Command {
	var show, test panelOptions
	c := &cobra.Command{
		Use:   "panel",
		Short: "Show the parts of the front panel and their state",
		Long: `Show the parts that the front panel has by its wiring file, and the state of each
as far as it can be seen without opening the part. kioskd may be running.

Exit status: 1 if a part is missing.`,
		Args: cli.Args(),
		RunE: func(*cobra.Command, []string) error { return p.panelShow(show) },
	}
	show.flags(c)
	testCommand := &cobra.Command{
		Use:   "test [PART...]",
		Short: "Test each part, with a person's help",
		Long: `Test all parts, or the named ones ("display", "keypad.usb"). The command asks
the person in front of the panel about everything that the machine cannot see. One key answers: y yes, n no, r again,
s skip, q stop. Ctrl-C switches everything off. kioskd must not be running.
Questions go to standard error, the report to standard output.

Exit status: 1 unless every part works.`,
		RunE: func(c *cobra.Command, parts []string) error { return p.panelTest(c.Context(), test, parts) },
	}
	test.flags(testCommand)
	var asJSON, ask bool
	detect := &cobra.Command{
		Use:   "detect",
		Short: "Look for parts and propose a wiring file",
		Long: `Look for what a panel can be made of: I²C buses and the devices on them, serial
ports, card readers, number pads, GPIO, PWM and watchdogs. The command says what it
could not look at and what helps, and proposes a wiring file. It writes to no part,
unless --ask is given: then it finds the wiring of character displays behind a PCF8574
by asking the person in front of the panel what they show.

Exit status: 1 if something could not be looked at.`,
		Args: cli.Args(),
		RunE: func(c *cobra.Command, _ []string) error { return p.panelDetect(c.Context(), asJSON, ask) },
	}
	detect.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	detect.Flags().BoolVar(&ask, "ask", false, "write to character displays and ask what is seen, to find their wiring")
	c.AddCommand(testCommand, detect)
	return c
}

// panelOptions are the flags of the commands that work with a wiring file.
type panelOptions struct {
	board, config string
	json          bool
}

func (o *panelOptions) flags(c *cobra.Command) {
	c.Flags().StringVar(&o.board, "board", "", "wiring `file` (deploy/boards has some)")
	c.Flags().StringVar(&o.config, "config", defaultConfig, "kioskd.toml, a `file` that names the wiring file")
	c.Flags().BoolVar(&o.json, "json", false, "print JSON")
}

// wiring is a panel's wiring file, with the socket of the kioskd that would use it.
type wiring struct {
	*board.Board
	file   string
	socket string
}

// load reads the wiring file that the flags name.
func (o panelOptions) load() (wiring, error) {
	w := wiring{file: o.board, socket: defaultSocket}
	if w.file == "" {
		var err error
		if w.file, w.socket, err = wiringOf(o.config); err != nil {
			return w, err
		}
	} else if o.config != defaultConfig {
		return w, cli.Usagef("--board and --config cannot be given together")
	}
	var err error
	w.Board, err = board.Load(w.file)
	return w, err
}

// wiringOf reads the wiring file and kioskd's socket from a kioskd.toml. It ignores all
// other settings.
func wiringOf(config string) (file, socket string, err error) {
	text, err := os.ReadFile(config)
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", fmt.Errorf("cannot find the panel's wiring: there is no %s; say where it is by --board or --config; \"kioskctl panel detect\" proposes one", config)
	}
	if err != nil {
		return "", "", fmt.Errorf("cannot find the panel's wiring: %w", err)
	}
	var c struct {
		State string
		Panel struct{ Board string }
	}
	if err := toml.Unmarshal(text, &c); err != nil {
		return "", "", fmt.Errorf("cannot read %s: %w", config, err)
	}
	if c.Panel.Board == "" {
		return "", "", fmt.Errorf("%s names no wiring file: its panel is a web page; [panel] board = \"board.toml\" names one", config)
	}
	beside := func(path string) string {
		if filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(filepath.Dir(config), path)
	}
	return beside(c.Panel.Board), beside(filepath.Join(c.State, filepath.Base(defaultSocket))), nil
}

// kioskdRuns reports whether a kioskd answers at its socket, or refuses us.
func (w wiring) kioskdRuns() bool {
	conn, err := net.Dial("unix", w.socket)
	if err == nil {
		conn.Close()
	}
	return err == nil || errors.Is(err, fs.ErrPermission)
}

// parts returns the parts with these sections ("display.ssd1306") or kinds ("display"),
// or all parts if names is empty.
func (w wiring) parts(names []string) ([]board.Part, error) {
	var found []board.Part
	for _, part := range w.Parts() {
		kind, _, _ := strings.Cut(part.Section(), ".")
		if len(names) == 0 || slices.Contains(names, part.Section()) || slices.Contains(names, kind) {
			found = append(found, part)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(found, func(part board.Part) bool {
			return part.Section() == name || strings.HasPrefix(part.Section(), name+".")
		}) {
			return nil, cli.Usagef("%s has no part %q: it has %s", w.file, name, strings.Join(w.sections(), ", "))
		}
	}
	return found, nil
}

func (w wiring) sections() []string {
	var names []string
	for _, part := range w.Parts() {
		names = append(names, part.Section())
	}
	return names
}

func (p program) printJSON(report any) error {
	out := json.NewEncoder(p.stdout)
	out.SetIndent("", "  ")
	return out.Encode(report)
}
