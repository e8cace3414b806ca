// Kioskhub is the backend of the kiosks: it makes a hub's folder, serves from
// it, adds kiosks and consumers, and shows a consumer's feed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

const usage = `kioskhub is the backend of card terminals.

  kioskhub init DIR            make a hub's folder: CA, certificate, keys, hub.toml, trust/
  kioskhub serve               serve from a hub's folder
  kioskhub kiosk add ID        make a kiosk's bundle: certificate, keys, trust, kioskd.toml
  kioskhub consumer add NAME   make a bundle for a backend that pulls the feed
  kioskhub seal rotate         have kiosks seal events to a new key; list shows all, retire deletes an old one
  kioskhub feed tail NAME      print a consumer's feed as JSON lines, and acknowledge it
  kioskhub rules check FILE    say in words what a rules file does
  kioskhub explain TOKEN.json  judge one Web eID token, and say why

All but init, explain and rules take --dir DIR, the hub's folder (default: here).
"kioskhub COMMAND -h" tells the flags of each.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	m := NewMain(os.Stdout, os.Stderr)
	if err := m.ParseFlags(os.Args[1:]); err != nil {
		os.Exit(m.exit(&unable{err}))
	}
	os.Exit(m.exit(errors.Join(m.Run(ctx), m.Close())))
}

// unable is a command line by which nothing can be done, or of a command that
// judges, that it could not.
type unable struct{ err error }

func (u *unable) Error() string { return u.err.Error() }
func (u *unable) Unwrap() error { return u.err }

// errRefused is the answer no of a command that judges, which has said why.
var errRefused = errors.New("refused")

// exit says what went wrong and gives the exit status: 0 when it went well or
// the answer is yes, 1 when it did not or the answer is no, 2 when a command
// line is wrong or nothing could be judged.
func (m *Main) exit(err error) int {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if errors.Is(err, errRefused) {
		return 1
	}
	fmt.Fprintln(m.stderr, "kioskhub:", err)
	if errors.As(err, new(*unable)) {
		return 2
	}
	return 1
}

// Main is the program: flags parsed, run once, closed.
type Main struct {
	stdout, stderr io.Writer
	log            *slog.Logger
	run            func(ctx context.Context) error
	closers        []func()
}

// NewMain returns the program with where it prints and logs to.
func NewMain(stdout, stderr io.Writer) *Main {
	return &Main{stdout: stdout, stderr: stderr, log: slog.New(slog.NewTextHandler(stderr, nil))}
}

// ParseFlags reads the command line, without the program's name. It gives
// flag.ErrHelp when the person asked for help and has got it.
func (m *Main) ParseFlags(args []string) error {
	commands := []struct {
		words string
		parse func(name string, args []string) error
	}{
		{"init", m.parseInit},
		{"serve", m.parseServe},
		{"kiosk add", m.parseKioskAdd},
		{"consumer add", m.parseConsumerAdd},
		{"seal list", m.parseSealList},
		{"seal rotate", m.parseSealRotate},
		{"seal retire", m.parseSealRetire},
		{"feed tail", m.parseFeedTail},
		{"rules check", m.parseRulesCheck},
		{"explain", m.parseExplain},
	}
	line := strings.Join(args, " ") + " "
	for _, c := range commands {
		if strings.HasPrefix(line, c.words+" ") {
			return c.parse("kioskhub "+c.words, args[len(strings.Fields(c.words)):])
		}
	}
	if len(args) == 0 {
		fmt.Fprint(m.stderr, usage)
		return errors.New("no command is given")
	}
	if slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
		fmt.Fprint(m.stdout, usage)
		return flag.ErrHelp
	}
	return fmt.Errorf("there is no command %q; `kioskhub help` lists them", strings.TrimSpace(line))
}

// Run does what the command line says. serve and feed tail end with ctx.
func (m *Main) Run(ctx context.Context) error { return m.run(ctx) }

// Close lets go of what Run holds. It is safe when Run was never called.
func (m *Main) Close() error {
	for _, c := range m.closers {
		c()
	}
	return nil
}

// flags returns a command's flags; arguments is what stands behind them in
// the usage.
func (m *Main) flags(name, arguments string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(m.stderr)
	fs.Usage = func() {
		fmt.Fprintf(m.stderr, "usage: %s [flags]%s\n", name, arguments)
		fs.PrintDefaults()
	}
	return fs
}

// dirFlag is the flag of all commands that work in a hub's folder.
func dirFlag(fs *flag.FlagSet) *string { return fs.String("dir", ".", "the hub's folder") }

// arguments parses flags, which may stand before and after arguments, and
// wants as many arguments as there are names.
func arguments(fs *flag.FlagSet, args []string, names ...string) ([]string, error) {
	var found []string
	for {
		if err := fs.Parse(args); err != nil {
			return nil, err
		}
		if args = fs.Args(); len(args) == 0 {
			break
		}
		found, args = append(found, args[0]), args[1:]
	}
	switch {
	case len(found) < len(names):
		return nil, fmt.Errorf("%s is missing; `%s -h` tells more", names[len(found)], fs.Name())
	case len(found) > len(names):
		return nil, fmt.Errorf("there is no use for %q", found[len(names)])
	}
	return found, nil
}
