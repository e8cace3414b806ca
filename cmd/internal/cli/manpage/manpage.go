// Package manpage writes a program's manual page and tests that the one in
// deploy/man is current. "make man" writes them all.
package manpage

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"smartkiosk/cmd/internal/cli"
)

var update = flag.Bool("update-man", false, "write the manual pages")

// Test compares a program's manual page with the file NAME.1 in dir.
func Test(t *testing.T, root *cobra.Command, dir string) {
	want := page(root)
	path := filepath.Join(dir, root.Name()+".1")
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := os.ReadFile(path); err != nil || !bytes.Equal(found, want) {
		t.Errorf("%s is not current: run \"make man\" (%v)", path, err)
	}
}

// page returns the manual page (man(7)) of a program with all its commands.
func page(root *cobra.Command) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, ".TH %s 1 \"\" Smartkiosk Smartkiosk\n.SH NAME\n%s \\- %s\n.SH SYNOPSIS\n", strings.ToUpper(root.Name()), root.Name(), escape(root.Short))
	commands := cli.Commands(root)
	for _, c := range commands {
		fmt.Fprintf(&b, "%s\n.br\n", escape(cli.UseLine(c)))
	}
	b.WriteString(".SH DESCRIPTION\n")
	paragraphs(&b, root.Long)
	if commands[0] == root {
		flags(&b, root)
		commands = commands[1:]
	}
	b.WriteString(".SH COMMANDS\n")
	for _, c := range commands {
		fmt.Fprintf(&b, ".SS %s\n", escape(cli.UseLine(c)))
		paragraphs(&b, cli.About(c))
		flags(&b, c)
	}
	fmt.Fprintf(&b, `.SH EXIT STATUS
.TP
%d
The command did its work, or its answer is yes.
.TP
%d
The command failed, or its answer is no.
.TP
%d
The command line is wrong, or a command that judges could not judge.
`, cli.StatusOK, cli.StatusError, cli.StatusUsage)
	return b.Bytes()
}

// paragraphs writes text whose paragraphs are separated by empty lines.
func paragraphs(b *bytes.Buffer, text string) {
	for i, p := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		for line := range strings.SplitSeq(p, "\n") {
			fmt.Fprintln(b, escape(line))
		}
	}
}

func flags(b *bytes.Buffer, c *cobra.Command) {
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" {
			return
		}
		value, about := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if value != "" {
			name += " " + value
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" {
			about += fmt.Sprintf(" (default %s)", f.DefValue)
		}
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", escape(name), escape(about))
	})
}

// escape protects what roff would interpret.
func escape(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}
