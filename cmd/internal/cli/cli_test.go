package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// newTool returns a program with a command of every kind.
func newTool() *cobra.Command {
	command := func(use string, err error) *cobra.Command {
		c := &cobra.Command{Use: use, Short: "Run " + use, Args: Args(), RunE: func(*cobra.Command, []string) error { return err }}
		c.Flags().String("from", "", "read this `file`")
		return c
	}
	take := command("take FILE", nil)
	take.Args = Args("FILE")
	needy := command("needy", nil)
	_ = needy.MarkFlagRequired("from")
	return Program(&cobra.Command{
		Use:   "tool",
		Short: "A tool",
		Long:  "Tool is a tool.",
	},
		command("work", nil), take, needy,
		command("fail", errors.New("cannot work")),
		command("deny", ErrNo),
		command("unable", WithStatus(StatusUsage, errors.New("cannot judge"))),
		command("refuse", Usagef("--from is missing")),
		Group("nest", "Hold eggs", "", command("egg", nil)))
}

func TestStatusAndMessage(t *testing.T) {
	for line, want := range map[string]struct {
		status int
		stderr string
	}{
		"work":                 {StatusOK, ""},
		"work --from x":        {StatusOK, ""},
		"take x --from y":      {StatusOK, ""},
		"nest egg":             {StatusOK, ""},
		"fail":                 {StatusError, "tool: cannot work\n"},
		"deny":                 {StatusError, ""},
		"unable":               {StatusUsage, "tool: cannot judge\n"},
		"refuse":               {StatusUsage, "tool: --from is missing; see \"tool refuse --help\"\n"},
		"needy":                {StatusUsage, "tool: required flag(s) \"from\" not set; see \"tool needy --help\"\n"},
		"take":                 {StatusUsage, "tool: FILE is missing; see \"tool take --help\"\n"},
		"take x y":             {StatusUsage, "tool: unexpected argument \"y\"; see \"tool take --help\"\n"},
		"work --depth 3":       {StatusUsage, "tool: unknown flag: --depth; see \"tool work --help\"\n"},
		"work --from":          {StatusUsage, "tool: flag needs an argument: --from; see \"tool work --help\"\n"},
		"nest":                 {StatusUsage, "tool: the command is missing (egg); see \"tool nest --help\"\n"},
		"nest hen --from x":    {StatusUsage, "tool: unknown command \"hen\" (egg); see \"tool nest --help\"\n"},
		"nest hen":             {StatusUsage, "tool: unknown command \"hen\" (egg); see \"tool nest --help\"\n"},
		"rest":                 {StatusUsage, "tool: unknown command \"rest\" (work, take, needy, fail, deny, unable, refuse, nest, completion, version); see \"tool --help\"\n"},
		"completion fish":      {StatusUsage, "tool: cannot complete for \"fish\": only for bash and zsh; see \"tool completion --help\"\n"},
		"help nest hen":        {StatusUsage, "tool: unknown command \"nest hen\"; see \"tool help --help\"\n"},
		"":                     {StatusUsage, "tool: the command is missing (work, take, needy, fail, deny, unable, refuse, nest, completion, version); see \"tool --help\"\n"},
		"version now":          {StatusUsage, "tool: unexpected argument \"now\"; see \"tool version --help\"\n"},
		"nest egg --from=x -h": {StatusOK, ""},
	} {
		var stdout, stderr bytes.Buffer
		err := Run(t.Context(), newTool(), strings.Fields(line), nil, &stdout, &stderr)
		if status := Status("tool", err, &stderr); status != want.status || stderr.String() != want.stderr {
			t.Errorf("%q: exit status %d and %q, want %d and %q", line, status, &stderr, want.status, want.stderr)
		}
		if errors.Is(err, ErrUsage) && stdout.Len() > 0 {
			t.Errorf("%q prints %q on standard output", line, &stdout)
		}
	}
}

// output runs a command line that must succeed.
func output(t *testing.T, line string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if err := Run(t.Context(), newTool(), strings.Fields(line), nil, &stdout, &stderr); err != nil || stderr.Len() > 0 {
		t.Fatalf("%q: %v, %s", line, err, &stderr)
	}
	return stdout.String()
}

func TestHelpCoversOneLevel(t *testing.T) {
	root := `Tool is a tool.

Usage:
  tool COMMAND

Commands:
  work         Run work
  take         Run take FILE
  needy        Run needy
  fail         Run fail
  deny         Run deny
  unable       Run unable
  refuse       Run refuse
  nest         Hold eggs
  completion   Print a completion script for a shell
  version      Print the version, the commit and the build date

Flags:
  -h, --help   help for tool

"tool COMMAND --help" says more about a command.
`
	take := `Run take FILE.

Usage:
  tool take FILE [flags]

Flags:
      --from file   read this file
  -h, --help        help for take
`
	for line, want := range map[string]string{
		"-h": root, "--help": root, "help": root,
		"take -h": take, "take --help": take, "help take": take,
		"take too many arguments --help": take,
	} {
		if got := output(t, line); got != want {
			t.Errorf("%q prints\n%s\nwant\n%s", line, got, want)
		}
	}
	if got := output(t, "nest -h"); !strings.Contains(got, "  egg   Run egg\n") || strings.Contains(got, "--from") {
		t.Errorf("help of a group:\n%s", got)
	}
}

func TestVersion(t *testing.T) {
	defer func(old string) { built = old }(built)
	built = "2026-11-29"
	if got := output(t, "version"); !regexp.MustCompile(`^tool \S+\ncommit \S+\nbuilt 2026-11-29\n$`).MatchString(got) {
		t.Errorf("version prints %q", got)
	}
}

// TestCompletion makes bash complete a command line with the generated script.
func TestCompletion(t *testing.T) {
	if got := output(t, "completion zsh"); !strings.HasPrefix(got, "#compdef tool\n") {
		t.Errorf("completion for zsh begins %.40q", got)
	}
	var words bytes.Buffer
	if err := Run(t.Context(), newTool(), []string{"__complete", "nest", ""}, nil, &words, io.Discard); err != nil || !strings.HasPrefix(words.String(), "egg\tRun egg\n") {
		t.Errorf("nest is completed with %q (%v)", &words, err)
	}
	check := exec.CommandContext(context.Background(), "bash", "-n")
	check.Stdin = strings.NewReader(output(t, "completion bash"))
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("bash does not parse the script: %v\n%s", err, out)
	}
}
