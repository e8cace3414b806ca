package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"smartkiosk/device/board"
)

const panelHelp = `    kioskctl panel [--board FILE | --config FILE] [--json]
        Tell which parts a kiosk's panel has by its wiring file, and the state
        of each as far as it can be seen without taking any: while kioskd runs,
        too. Exit status 1 if a part is missing.

    kioskctl panel test [--board FILE | --config FILE] [--json] [PART...]
        Try each part, or those named ("display", "keypad.usb"): by itself where
        that can be, by asking the person in front of it where it cannot. One
        key answers: y yes, n no, r again, s skip, q stop. Ctrl-C leaves all
        off. Not while kioskd runs. Questions go to standard error, the report
        to standard output. Exit status 1 unless every part was found right.

    kioskctl panel detect [--json]
        Look for what a panel may be made of: I²C buses and what answers there,
        serial ports, card readers, number pads, GPIO, PWM, watchdogs. Say what
        could not be looked at and what helps, and propose a wiring file. Writes
        to no part. Exit status 1 if something could not be looked at.

FILE of --board is a wiring file (deploy/boards has some), that of --config a
kioskd.toml, which names one: ` + defaultConfig + ` unless said.

Exit status of all commands: 0 done; 1 not done, or something was found wrong,
which is printed; 2 the command line makes no sense.
`

// defaultConfig is where an installed kioskd has its configuration.
const defaultConfig = "/etc/smartkiosk/kioskd.toml"

// panel tells of the parts of a front panel, tries them, or looks for them.
func (p program) panel(ctx context.Context, args []string) error {
	command := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	switch command {
	case "":
		return p.panelShow(args)
	case "test":
		return p.panelTest(ctx, args)
	case "detect":
		return p.panelDetect(ctx, args)
	}
	return fmt.Errorf("panel: unknown command %q; %w", command, errUsage)
}

// panelFlags are those of the commands that work with a wiring file.
type panelFlags struct {
	*flag.FlagSet
	board, config *string
	json          *bool
}

func newPanelFlags(name string) panelFlags {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	return panelFlags{f, f.String("board", "", ""), f.String("config", defaultConfig, ""), f.Bool("json", false, "")}
}

// wiring is a panel's wiring file, and where its kioskd would be.
type wiring struct {
	*board.Board
	file   string
	socket string
}

// load reads the wiring file that the flags say.
func (f panelFlags) load() (wiring, error) {
	w := wiring{file: *f.board, socket: defaultSocket}
	if w.file == "" {
		var err error
		if w.file, w.socket, err = wiringOf(*f.config); err != nil {
			return w, err
		}
	} else if *f.config != defaultConfig {
		return w, fmt.Errorf("%s: --board or --config, not both; %w", f.Name(), errUsage)
	}
	var err error
	w.Board, err = board.Load(w.file)
	return w, err
}

// wiringOf finds in a kioskd.toml the wiring file and kioskd's socket. What else
// is in there is kioskd's.
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

// kioskdRuns tells whether a kioskd answers at its socket, or does not let us.
func (w wiring) kioskdRuns() bool {
	conn, err := net.Dial("unix", w.socket)
	if err == nil {
		conn.Close()
	}
	return err == nil || errors.Is(err, fs.ErrPermission)
}

// parts gives those named by section ("display.ssd1306") or kind ("display"),
// all for no name.
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
			return nil, fmt.Errorf("%s has no part %q: it has %s; %w", w.file, name, strings.Join(w.sections(), ", "), errUsage)
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
