// Package cli is the command-line frame that the programs share.
package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime/debug"
)

// ErrUsage reports that the arguments were wrong and that the person has
// been told so.
var ErrUsage = errors.New("wrong arguments")

// Parse reads flags and refuses anything behind them.
func Parse(flags *flag.FlagSet, args []string, stderr io.Writer) error {
	flags.SetOutput(stderr)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return ErrUsage
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("there is no use for %q", flags.Arg(0))
	}
	return nil
}

// Version is that of the module or, in a checkout, of the commit.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && (v == "" || v == "(devel)") {
			v = s.Value
		}
	}
	if v == "" {
		return "unknown"
	}
	return v
}
