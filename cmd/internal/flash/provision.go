package flash

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/bootfiles"
	"smartkiosk/cmd/internal/cli"
	"smartkiosk/kiosk/protocol/est"
)

// ProvisionCommand makes the files for the boot partitions of SD cards.
func (p Program) ProvisionCommand() *cobra.Command {
	var s bootfiles.Settings
	var code, list string
	c := &cobra.Command{
		Use:   "provision FOLDER",
		Short: "Make the files that tell a new kiosk who it is",
		Long: `Make kiosk.toml and code.txt for a new kiosk, in a folder of FOLDER with the kiosk's
name. "kioskctl flash --files" writes them to the SD card, or you copy them to its boot
partition. The code is a secret until the kiosk has used it.

The operator makes the code by "kioskhub codes new". For many kiosks the operator makes
a table by "kioskhub codes new --csv KIOSK...", to which you may add the columns
language, board and reader. --list names the table. A cell that is empty has the value
of the option with that name.`,
		Args: cli.Args("FOLDER"),
		RunE: func(c *cobra.Command, args []string) error {
			if list != "" {
				if code != "" {
					return cli.Usagef("--code and --list cannot be used together")
				}
				return p.provisionList(list, args[0], s)
			}
			return p.provisionOne(c.Context(), code, args[0], s)
		},
	}
	c.Flags().StringVar(&s.Hub, "hub", "", "`URL` of the hub, https://host[:port]")
	c.Flags().StringVar(&code, "code", "", "the `code`; without it the command asks")
	c.Flags().StringVar(&list, "list", "", "`file` with a table of kiosks (CSV): hub, code, and optionally kiosk, language, board, reader")
	c.Flags().StringVar(&s.Language, "language", "", "`language` in which the panel starts: nb, nn, se or en")
	c.Flags().StringVar(&s.Board, "board", "", "`name` of a wiring file: one that comes with kioskd, or one next to kiosk.toml")
	c.Flags().StringVar(&s.Reader, "reader", "", "a `part` of the card reader's name")
	return c
}

func (p Program) provisionOne(ctx context.Context, text, folder string, s bootfiles.Settings) error {
	if text == "" {
		var err error
		if text, err = p.askCode(ctx); err != nil {
			return err
		}
	}
	code, err := est.ParseCode(text)
	if err != nil {
		return err
	}
	return p.provision([]provisioned{{settings: s, code: code}}, folder)
}

func (p Program) askCode(ctx context.Context) (string, error) {
	fmt.Fprint(p.Stderr, "Code: ")
	typed := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReaderSize(p.Stdin, 256).ReadString('\n')
		typed <- strings.TrimSpace(line)
	}()
	select {
	case line := <-typed:
		if line == "" {
			return "", cli.Usagef("--code is missing")
		}
		return line, nil
	case <-ctx.Done():
		return "", fmt.Errorf("cannot read the code: %w", ctx.Err())
	}
}

// provisioned is one kiosk of a list.
type provisioned struct {
	settings bootfiles.Settings
	code     est.Code
}

func (p Program) provisionList(path, folder string, common bootfiles.Settings) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cannot read list: %w", err)
	}
	defer f.Close()
	kiosks, err := readList(f, common)
	if err != nil {
		return fmt.Errorf("cannot read list %s: %w", path, err)
	}
	return p.provision(kiosks, folder)
}

// columns are the columns of a list. "expires" is for people.
var columns = []string{"kiosk", "hub", "code", "language", "board", "reader", "expires"}

// readList reads a table of kiosks. Its first line names the columns. The error names the
// line.
func readList(from io.Reader, common bootfiles.Settings) ([]provisioned, error) {
	table := csv.NewReader(from)
	table.TrimLeadingSpace = true
	names, err := table.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("it is empty")
	}
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		names[i] = strings.TrimSpace(strings.TrimPrefix(name, "\ufeff"))
		if !slices.Contains(columns, names[i]) {
			return nil, fmt.Errorf("line 1: unknown column %q (%s)", names[i], strings.Join(columns, ", "))
		}
		if slices.Contains(names[:i], names[i]) {
			return nil, fmt.Errorf("line 1: the column %s is there twice", names[i])
		}
	}
	if !slices.Contains(names, "code") {
		return nil, errors.New("line 1: the column code is missing")
	}
	var all []provisioned
	for {
		row, err := table.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		line, _ := table.FieldPos(0)
		one := provisioned{settings: common}
		kiosk := ""
		for i, name := range names {
			into := map[string]*string{"kiosk": &kiosk, "hub": &one.settings.Hub, "language": &one.settings.Language, "board": &one.settings.Board, "reader": &one.settings.Reader}[name]
			if value := strings.TrimSpace(row[i]); into != nil && value != "" {
				*into = value
			}
		}
		if one.code, err = est.ParseCode(row[slices.Index(names, "code")]); err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		if kiosk != "" && kiosk != one.code.Kiosk {
			return nil, fmt.Errorf("line %d: the code is for kiosk %s, not %s", line, one.code.Kiosk, kiosk)
		}
		if _, err := one.settings.Text(); err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		if slices.ContainsFunc(all, func(o provisioned) bool { return o.code.Kiosk == one.code.Kiosk }) {
			return nil, fmt.Errorf("line %d: kiosk %s is there twice", line, one.code.Kiosk)
		}
		all = append(all, one)
	}
	if len(all) == 0 {
		return nil, errors.New("it has no kiosk")
	}
	return all, nil
}

// provision writes the files of each kiosk.
func (p Program) provision(kiosks []provisioned, folder string) error {
	for _, k := range kiosks {
		files, err := bootfiles.NewFiles(k.settings, k.code)
		if err != nil {
			return err
		}
		to := filepath.Join(folder, k.code.Kiosk)
		err = files.Write(to)
		files.Code.Wipe()
		k.code.Secret.Wipe()
		if err != nil {
			return fmt.Errorf("cannot write the files of kiosk %s: %w", k.code.Kiosk, err)
		}
		fmt.Fprintf(p.Stdout, "%s\n", to)
	}
	return nil
}
