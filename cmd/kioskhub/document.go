package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub"
	"smartkiosk/kiosk/hub/docstore"
	"smartkiosk/kiosk/protocol/document"
)

func (p program) documentCommand() *cobra.Command {
	return cli.Group("document", "Manage documents that holders sign at kiosks", "",
		p.documentAddCommand(), p.documentListCommand(), p.documentGetCommand(), p.documentRemoveCommand())
}

// newDocument are the flags of document add.
type newDocument struct {
	dir, holder, domain, file, title, kind string
	language                               string
	payment                                document.Payment
	days                                   int
}

func (p program) documentAddCommand() *cobra.Command {
	var n newDocument
	c := &cobra.Command{
		Use:   "add",
		Short: "Give the hub a document that a holder can sign or refuse at a kiosk",
		Long: `Give the hub a document for one holder. The holder finds it after a login at each kiosk
whose rules offer documents ("documents = true" in [[services]] of rules.toml), and signs
or refuses it there. Nobody else can see it. The answer is an event in the feed, and
"document get --signature" writes what was signed.

A text is UTF-8 of at most 16 KiB, without tabs and without spaces that a panel does not
show, because the panel shows exactly the bytes that are signed. A payment or an order
is a text too: --amount, --payee and --reference make it, in the language of --language.

A PDF has at most 16 MiB and is not encrypted. The panel shows its title, its number of pages
and its fingerprint (SHA-256).

The output is the identifier of the document. A document waits for at most 30 days. It and
its signature are deleted after 90 days.`,
		Args: cli.Args(),
		RunE: func(*cobra.Command, []string) error { return p.addDocument(n) },
	}
	dirFlag(c, &n.dir)
	flags := c.Flags()
	flags.StringVar(&n.holder, "holder", "", "`identifier` of the holder, as in events")
	flags.StringVar(&n.domain, "domain", "", "trust `domain` of the holder (default: any)")
	flags.StringVar(&n.file, "file", "", "the document; - is standard input")
	flags.StringVar(&n.title, "title", "", "title, at most 40 letters (default: of a payment or an order its kind)")
	flags.StringVar(&n.kind, "kind", "text", "text, pdf, payment or order")
	flags.StringVar(&n.payment.Amount, "amount", "", "of a payment or an order, with the currency")
	flags.StringVar(&n.payment.Payee, "payee", "", "who is paid, or delivers")
	flags.StringVar(&n.payment.Reference, "reference", "", "of a payment or an order")
	flags.StringVar(&n.language, "language", "nb", "of a payment or an order: nb, nn, se or en")
	flags.IntVar(&n.days, "days", 14, "for how many days the document waits, 1 to 30")
	return c
}

func (p program) addDocument(n newDocument) error {
	kind := kiosk.DocumentKind(n.kind)
	title, content, err := n.content(kind)
	if err != nil {
		return cli.WithStatus(cli.StatusUsage, fmt.Errorf("cannot add document: %w", err))
	}
	r, err := hub.AddDocument(n.dir, hub.NewDocument{
		Holder: n.holder, Domain: n.domain, Title: title, Kind: kind, Content: content, Life: time.Duration(n.days) * 24 * time.Hour,
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.stdout, r.ID)
	return err
}

// content returns the title and the bytes of the document.
func (n newDocument) content(kind kiosk.DocumentKind) (title string, content []byte, err error) {
	if kind == kiosk.PaymentDocument || kind == kiosk.OrderDocument {
		if n.file != "" {
			return "", nil, errors.New("a payment or an order has no --file: give --amount, --payee and --reference")
		}
		title, content, err := n.payment.Text(kind, n.language)
		if n.title != "" {
			title = n.title
		}
		return title, content, err
	}
	if n.file == "" {
		return "", nil, errors.New("--file is missing")
	}
	content, err = readDocument(n.file)
	return n.title, content, err
}

// readDocument reads a file, or standard input for "-".
func readDocument(name string) ([]byte, error) {
	f := os.Stdin
	if name != "-" {
		var err error
		if f, err = os.Open(name); err != nil {
			return nil, err
		}
		defer f.Close()
	}
	content, err := io.ReadAll(io.LimitReader(f, document.MaxPDF+1))
	if err == nil && len(content) > document.MaxPDF {
		err = fmt.Errorf("it has more than %d bytes", document.MaxPDF)
	}
	return content, err
}

func (p program) documentListCommand() *cobra.Command {
	var dir string
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List the documents of the last 90 days, and what their holders decided",
		Args:  cli.Args(),
		RunE: func(*cobra.Command, []string) error {
			list, err := hub.Documents(dir)
			if err != nil {
				return err
			}
			if asJSON {
				return p.printJSON(append([]docstore.Record{}, list...)) // [] and not null for an empty list
			}
			w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "DOCUMENT\tKIND\tSTATE\tHOLDER\tEXPIRES\tTITLE")
			for _, r := range list {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.Kind, documentState(r), r.Holder, r.Expires.UTC().Format(time.RFC3339), r.Title)
			}
			return w.Flush()
		},
	}
	dirFlag(c, &dir)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return c
}

// documentState describes a document in a word: waiting, expired, signed or refused.
func documentState(r docstore.Record) string {
	switch {
	case r.Decision != "":
		return string(r.Decision)
	case r.Waits(time.Now()):
		return "waiting"
	}
	return "expired"
}

func (p program) documentGetCommand() *cobra.Command {
	var dir string
	var signature bool
	c := &cobra.Command{
		Use:   "get DOCUMENT",
		Short: "Print a document, or its signature",
		Long: `Print the bytes of a document, or with --signature what its holder has signed: a detached
CAdES-B-B signature (DER) of a text, which "openssl cms -verify -cades" verifies, or the
signed PDF (PAdES-B-B), which "pdfsig" verifies.`,
		Args: cli.Args("DOCUMENT"),
		RunE: func(_ *cobra.Command, args []string) error {
			read := hub.ReadDocument
			if signature {
				read = hub.ReadSignature
			}
			content, err := read(dir, args[0])
			if err != nil {
				return err
			}
			_, err = p.stdout.Write(content)
			return err
		},
	}
	dirFlag(c, &dir)
	c.Flags().BoolVar(&signature, "signature", false, "what the holder has signed")
	return c
}

func (p program) documentRemoveCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "remove DOCUMENT",
		Short: "Delete a document and its signature",
		Args:  cli.Args("DOCUMENT"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := hub.RemoveDocument(dir, args[0]); err != nil {
				return err
			}
			_, err := fmt.Fprintf(p.stdout, "The document %s is deleted.\n", args[0])
			return err
		},
	}
	dirFlag(c, &dir)
	return c
}
