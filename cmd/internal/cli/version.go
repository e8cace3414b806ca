package cli

import (
	"cmp"
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// These are set through the linker: built, the date of the build, by "make build" and by
// "make packages"; release and revision by "make packages", because Debian's version
// numbers differ from Go's.
var (
	built             = "unknown"
	release, revision string // "" for what the build information says
)

// Version returns the version of the module or, without one, the commit.
func Version() string {
	version, commit := versions()
	if version == "unknown" {
		return commit
	}
	return version
}

// versions returns the version of the module and the commit. Each is "unknown" if the
// build does not contain it.
func versions() (version, commit string) {
	version, commit = "unknown", "unknown"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version, commit
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		version = v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			commit = s.Value
		}
	}
	return cmp.Or(release, version), cmp.Or(revision, commit)
}

func versionCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, the commit and the build date",
		Args:  Args(),
		RunE: func(c *cobra.Command, _ []string) error {
			version, commit := versions()
			_, err := fmt.Fprintf(c.OutOrStdout(), "%s %s\ncommit %s\nbuilt %s\n", root.Name(), version, commit, built)
			return err
		},
	}
}
