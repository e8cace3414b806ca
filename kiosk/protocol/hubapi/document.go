package hubapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/document"
)

const (
	documentsPath  = "/v1/documents"
	contentPath    = "/v1/documents/content"
	signaturesPath = "/v1/signatures"
)

// DocumentsRequest is the body of POST /v1/documents.
type DocumentsRequest struct {
	Ticket string `json:"ticket"` // of the visit's Authentication
}

// Documents is the answer to POST /v1/documents.
type Documents struct {
	Documents []WaitingDocument `json:"documents"` // that wait for the holder, the oldest first
}

// WaitingDocument describes a document that waits for a holder.
type WaitingDocument struct {
	ID      string             `json:"id"`
	Title   string             `json:"title"`
	Kind    kiosk.DocumentKind `json:"kind"`
	Size    int                `json:"size"`   // bytes
	Hash    string             `json:"sha256"` // of its bytes, hexadecimal
	Expires time.Time          `json:"expires_at"`
}

// ContentRequest is the body of POST /v1/documents/content. The answer is the document itself.
type ContentRequest struct {
	Ticket   string `json:"ticket"`
	Document string `json:"document"`
}

// SignatureRequest is the body of POST /v1/signatures. It may be sent again.
type SignatureRequest struct {
	Ticket    string         `json:"ticket"`
	Document  string         `json:"document"`
	Decision  kiosk.Decision `json:"decision"`
	Signature []byte         `json:"signature"` // CAdES, detached (DER); empty unless signed
	Time      time.Time      `json:"time"`      // when the holder signed; of a PDF the one in it (see package pades)
}

// SignatureAnswer is the answer to POST /v1/signatures. A signature that is not accepted gets
// it too, and not a problem.
type SignatureAnswer struct {
	Accepted bool         `json:"accepted"`
	Reason   kiosk.Reason `json:"reason,omitempty"` // why not
}

// Documents lists the documents that wait for the holder of a verdict; see Verdict.Documents.
func (c *Client) Documents(ctx context.Context, ticket string) ([]kiosk.DocumentInfo, error) {
	var out Documents
	if err := c.json(ctx, documentsPath, DocumentsRequest{ticket}, content{visit: true}, http.StatusOK, &out); err != nil {
		return nil, fmt.Errorf("cannot list documents: %w", err)
	}
	list := make([]kiosk.DocumentInfo, len(out.Documents))
	for i, d := range out.Documents {
		list[i] = kiosk.DocumentInfo{ID: d.ID, Title: d.Title, Kind: d.Kind, Hash: d.Hash}
	}
	return list, nil
}

// Document fetches the bytes of a document, at most document.MaxPDF.
func (c *Client) Document(ctx context.Context, ticket, id string) ([]byte, error) {
	body, err := json.Marshal(ContentRequest{ticket, id})
	if err != nil {
		return nil, err
	}
	send := content{visit: true, media: "application/json", body: body, longest: document.MaxPDF}
	answer, _, err := c.do(ctx, http.MethodPost, contentPath, send, http.StatusOK)
	if err != nil {
		return nil, fmt.Errorf("cannot fetch a document: %w", err)
	}
	return answer, nil
}

// HandIn gives a holder's decision about a document to the hub.
func (c *Client) HandIn(ctx context.Context, r SignatureRequest) (out SignatureAnswer, err error) {
	if err := c.json(ctx, signaturesPath, r, content{visit: true}, http.StatusOK, &out); err != nil {
		return out, fmt.Errorf("cannot hand in a signature: %w", err)
	}
	return out, nil
}

// Signature fetches what a holder has signed, for a consumer: the signature of a text, or the
// signed PDF.
func (c *Client) Signature(ctx context.Context, id string) ([]byte, error) {
	answer, _, err := c.do(ctx, http.MethodGet, signaturesPath+"/"+url.PathEscape(id), content{longest: document.MaxPDF + MaxEventsBody}, http.StatusOK)
	if err != nil {
		return nil, fmt.Errorf("cannot fetch a signature: %w", err)
	}
	return answer, nil
}
