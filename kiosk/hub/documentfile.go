package hub

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub/docstore"
	docs "smartkiosk/kiosk/protocol/document"
	"smartkiosk/kiosk/protocol/pades"
)

// NewDocument is a document for a holder.
type NewDocument struct {
	Holder  string // identifier, as in events
	Domain  string // the holder's trust domain; "" for any
	Title   string
	Kind    kiosk.DocumentKind
	Content []byte
	Life    time.Duration // for which the holder can sign; at most docstore.MaxLife
}

func (d NewDocument) check() error {
	if d.Holder == "" {
		return errors.New("the holder is missing")
	}
	if !slices.Contains(kiosk.DocumentKinds, d.Kind) {
		return fmt.Errorf("there is no kind %q: there are text, pdf, payment and order", d.Kind)
	}
	if err := docs.CheckTitle(d.Title); err != nil {
		return err
	}
	if !docs.IsText(d.Kind) {
		if len(d.Content) > docs.MaxPDF {
			return fmt.Errorf("the PDF has %d bytes, at most %d are accepted", len(d.Content), docs.MaxPDF)
		}
		_, err := pades.Prepare(d.Content, pades.Options{})
		return err
	}
	return docs.CheckText(d.Content)
}

// useDocuments calls f with the documents of the hub in a folder, which may be running.
func useDocuments(dir string, f func(ctx context.Context, d documents) error) error {
	sign, err := readPrivateJWK(filepath.Join(dir, signFile))
	if err != nil {
		return err
	}
	return useStore(dir, func(ctx context.Context, js jetstream.JetStream) error {
		d, err := openDocuments(ctx, js, sign, time.Now)
		if err != nil {
			return err
		}
		return f(ctx, d)
	})
}

// AddDocument gives a document to the hub in a folder. Its holder finds it at each kiosk whose
// rules offer documents.
func AddDocument(dir string, n NewDocument) (r docstore.Record, err error) {
	if err = n.check(); err == nil {
		err = useDocuments(dir, func(ctx context.Context, d documents) error {
			r, err = d.add(ctx, n)
			return err
		})
	}
	if err != nil {
		return r, fmt.Errorf("cannot add document: %w", err)
	}
	return r, nil
}

func (d documents) add(ctx context.Context, n NewDocument) (docstore.Record, error) {
	return d.Add(ctx, docstore.Record{
		DocumentInfo: kiosk.DocumentInfo{Title: n.Title, Kind: n.Kind, Hash: docs.Hash(n.Content)},
		Holder:       n.Holder, Domain: n.Domain,
	}, n.Content, n.Life)
}

// Documents lists the documents of the last 90 days, the oldest first.
func Documents(dir string) (list []docstore.Record, err error) {
	err = useDocuments(dir, func(ctx context.Context, d documents) error {
		list, err = d.All(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot list documents: %w", err)
	}
	return list, nil
}

// ReadDocument returns the bytes of a document.
func ReadDocument(dir, id string) (content []byte, err error) {
	err = useDocuments(dir, func(ctx context.Context, d documents) error {
		content, err = d.Content(ctx, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read document %s: %w", id, err)
	}
	return content, nil
}

// ReadSignature returns what the holder has signed; see documents.signed.
func ReadSignature(dir, id string) (signed []byte, err error) {
	err = useDocuments(dir, func(ctx context.Context, d documents) error {
		_, signed, err = d.signed(ctx, id)
		if errors.Is(err, docstore.ErrUnknown) {
			return errors.New("there is no such document, or it is not signed")
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the signature of document %s: %w", id, err)
	}
	return signed, nil
}

// RemoveDocument deletes a document and its signature.
func RemoveDocument(dir, id string) error {
	err := useDocuments(dir, func(ctx context.Context, d documents) error { return d.Remove(ctx, id) })
	if err != nil {
		return fmt.Errorf("cannot remove document %s: %w", id, err)
	}
	return nil
}
