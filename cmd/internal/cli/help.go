package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// printHelp prints the help of one command: what it does, its commands and its
// flags. Help of the commands below it is not included.
func printHelp(w io.Writer, c *cobra.Command) {
	fmt.Fprintf(w, "%s\n\nUsage:\n", About(c))
	if !isGroup(c) {
		fmt.Fprintf(w, "  %s\n", UseLine(c))
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(w, "  %s COMMAND\n\nCommands:\n", c.CommandPath())
		t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(t, "  %s\t%s\n", sub.Name(), sub.Short)
			}
		}
		t.Flush()
	}
	fmt.Fprintf(w, "\nFlags:\n%s", c.Flags().FlagUsages())
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(w, "\n\"%s COMMAND --help\" says more about a command.\n", c.CommandPath())
	}
}

// About returns what a command does: its long text, or its short one if it has no long
// text.
func About(c *cobra.Command) string {
	if c.Long == "" {
		return c.Short + "."
	}
	return strings.TrimSpace(c.Long)
}

// UseLine returns "kioskctl token --origin ORIGIN [flags]", with "[flags]" if
// the command has flags that its use does not name.
func UseLine(c *cobra.Command) string {
	line := c.CommandPath() + strings.TrimPrefix(c.Use, c.Name())
	unnamed := false
	c.Flags().VisitAll(func(f *pflag.Flag) {
		unnamed = unnamed || f.Name != "help" && !strings.Contains(c.Use, "--"+f.Name)
	})
	if unnamed {
		line += " [flags]"
	}
	return line
}

// Commands returns the commands of a program that do something, parents first.
func Commands(root *cobra.Command) (found []*cobra.Command) {
	eachCommand(root, func(c *cobra.Command) {
		if !isGroup(c) {
			found = append(found, c)
		}
	})
	return found
}

// helpCommand returns the command help. It prints what --help prints.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND...]",
		Short: "Print the help of a command",
		RunE: func(c *cobra.Command, args []string) error {
			of, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return Usagef("unknown command %q", strings.Join(args, " "))
			}
			of.InitDefaultHelpFlag()
			printHelp(c.OutOrStdout(), of)
			return nil
		},
	}
}

// completionCommand returns the command completion, which prints a script for
// a shell.
func completionCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:       "completion bash|zsh",
		Short:     "Print a completion script for a shell",
		Long:      fmt.Sprintf("Print a script that completes this program's command lines.\n\nbash reads it from /etc/bash_completion.d/%s, zsh from a file _%[1]s in a folder\nof its $fpath.", root.Name()),
		ValidArgs: []string{"bash", "zsh"},
		Args:      Args("the shell"),
		RunE: func(c *cobra.Command, args []string) error {
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(c.OutOrStdout(), true)
			case "zsh":
				return root.GenZshCompletion(c.OutOrStdout())
			}
			return Usagef("cannot complete for %q: only for bash and zsh", args[0])
		},
	}
}
