// Package cli is the command-line frame that all programs share: help,
// version, completion and exit status work the same way in each of them.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit statuses of all programs.
const (
	StatusOK    = 0 // the command did its work, or its answer is yes
	StatusError = 1 // the command failed, or its answer is no
	StatusUsage = 2 // the command line is wrong, or a command that judges could not judge
)

// ErrUsage matches, with errors.Is, the error of every wrong command line.
var ErrUsage = errors.New("wrong command line")

// usageError is a wrong command line of one command.
type usageError struct {
	err     error
	command string // the words to ask for help with, "kioskctl card pin"
}

func (e *usageError) Error() string {
	if e.command == "" {
		return e.err.Error()
	}
	return fmt.Sprintf("%v; see %q", e.err, e.command+" --help")
}

func (e *usageError) Unwrap() error        { return e.err }
func (e *usageError) Is(target error) bool { return target == ErrUsage }

// Usagef returns an error that matches ErrUsage. Run adds a hint to the command's help.
func Usagef(format string, args ...any) error {
	return &usageError{err: fmt.Errorf(format, args...)}
}

// statusError carries an exit status.
type statusError struct {
	error
	status int
	silent bool
}

func (e *statusError) Unwrap() error { return e.error }

// WithStatus returns err with the exit status that Status returns for it.
func WithStatus(status int, err error) error {
	return &statusError{error: err, status: status}
}

// ErrNo is the result of a command whose answer is no and that has printed
// why. The exit status is StatusError and nothing more is printed.
var ErrNo error = &statusError{error: errors.New("the answer is no"), status: StatusError, silent: true}

// Program makes root the root command of a program with these commands.
func Program(root *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	cobra.EnableCommandSorting = false
	if root.RunE == nil {
		makeGroup(root)
	}
	root.AddCommand(commands...)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.DisableDefaultCmd = true // replaced by our own command, for the shells that we test
	root.SetHelpFunc(func(c *cobra.Command, _ []string) { printHelp(c.OutOrStdout(), c) })
	help := helpCommand(root)
	root.SetHelpCommand(help)
	root.AddCommand(completionCommand(root), versionCommand(root), help)
	return root
}

// Group returns a command that does nothing without one of its commands. about
// is one line; long is the text of its help.
func Group(use, about, long string, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Short: about, Long: long}
	makeGroup(g)
	g.AddCommand(commands...)
	return g
}

// makeGroup makes g refuse to run without one of its commands.
func makeGroup(g *cobra.Command) {
	g.RunE = func(*cobra.Command, []string) error { return nil } // never called: Args refuses
	g.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return fmt.Errorf("the command is missing (%s)", commandNames(c))
		}
		return fmt.Errorf("unknown command %q (%s)", args[0], commandNames(c))
	}
	// Otherwise a flag after an unknown command is reported instead of the command.
	g.FParseErrWhitelist.UnknownFlags = true
	g.Annotations = map[string]string{groupAnnotation: ""}
}

// groupAnnotation marks groups.
const groupAnnotation = "group"

func isGroup(c *cobra.Command) bool {
	_, ok := c.Annotations[groupAnnotation]
	return ok
}

func commandNames(c *cobra.Command) string {
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return strings.Join(names, ", ")
}

// Args returns a check that a command has one argument for each name.
func Args(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return fmt.Errorf("%s is missing", names[len(args)])
		}
		if len(args) > len(names) {
			return fmt.Errorf("unexpected argument %q", args[len(names)])
		}
		return nil
	}
}

// Run runs a command line, args without the program's name. The error matches
// ErrUsage if the command line is wrong; nothing was printed about it yet.
func Run(ctx context.Context, root *cobra.Command, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	root.SetArgs(append([]string{}, args...)) // never nil, because cobra would use os.Args instead
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	started := false
	eachCommand(root, func(c *cobra.Command) {
		if run := c.RunE; run != nil {
			c.RunE = func(c *cobra.Command, args []string) error {
				started = true
				return run(c, args)
			}
		}
	})
	c, err := root.ExecuteContextC(ctx)
	if err == nil {
		return nil
	}
	if !started { // then the error is cobra's, about flags or arguments
		err = &usageError{err: err}
	}
	if u, ok := errors.AsType[*usageError](err); ok && u.command == "" {
		u.command = c.CommandPath()
	}
	return err
}

func eachCommand(c *cobra.Command, do func(*cobra.Command)) {
	do(c)
	for _, sub := range c.Commands() {
		eachCommand(sub, do)
	}
}

// Status prints err, if there is something to print, and returns the exit
// status for it.
func Status(program string, err error, stderr io.Writer) int {
	if err == nil {
		return StatusOK
	}
	status := StatusError
	if errors.Is(err, ErrUsage) {
		status = StatusUsage
	}
	if s, ok := errors.AsType[*statusError](err); ok {
		status = s.status
		if s.silent {
			return status
		}
	}
	fmt.Fprintf(stderr, "%s: %v\n", program, err)
	return status
}

// Main runs a program with this process's arguments and streams until it ends
// or SIGINT or SIGTERM arrives, and exits.
func Main(root *cobra.Command) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := Run(ctx, root, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(Status(root.Name(), err, os.Stderr))
}
