package kiosk

// DocumentKind says what a document is.
type DocumentKind string

const (
	TextDocument    DocumentKind = "text"
	PDFDocument     DocumentKind = "pdf"
	PaymentDocument DocumentKind = "payment" // a text: amount, payee and reference
	OrderDocument   DocumentKind = "order"   // a text: amount, supplier and reference
)

// DocumentKinds lists every DocumentKind.
var DocumentKinds = []DocumentKind{TextDocument, PDFDocument, PaymentDocument, OrderDocument}

// DocumentInfo describes a document that the hub holds for a holder.
type DocumentInfo struct {
	ID    string       `json:"id"`
	Title string       `json:"title"`
	Kind  DocumentKind `json:"kind"`
	Hash  string       `json:"sha256"` // of its bytes, hexadecimal
}

// Decision is what a holder decides about a document.
type Decision string

const (
	DecisionSigned  Decision = "signed"
	DecisionRefused Decision = "refused"
)

// Effects and events of documents.
type (
	// PrepareSignature reads the certificate for signatures. The answer is
	// SignatureReady or CardFailed.
	PrepareSignature struct{ Visit string }
	// SignatureReady follows PrepareSignature: the card can sign documents once the
	// PIN of signatures is right.
	SignatureReady struct {
		Visit string
		PIN   PINStatus
	}
	// ListDocuments asks the hub for the holder's documents. The answer is
	// DocumentsListed, HubUnreachable or HubFailed.
	ListDocuments struct {
		Visit    string
		Question int
		Ticket   string // see Verdict.Documents
	}
	DocumentsListed struct {
		Visit     string
		Question  int
		Documents []DocumentInfo // at most MaxEntries
	}
	// GetDocument fetches a document, checks its hash and lays it out for the panel.
	// The answer is DocumentReady, DocumentFailed, HubUnreachable or HubFailed.
	GetDocument struct {
		Visit    string
		Question int
		Ticket   string
		Document DocumentInfo
	}
	// DocumentReady has the text that is signed, in pages each of which the panel
	// shows whole; of a PDF its title, number of pages and fingerprint.
	DocumentReady struct {
		Visit    string
		Question int
		Pages    []string
	}
	// DocumentFailed also follows HandIn.
	DocumentFailed struct {
		Visit    string
		Question int
		Reason   Reason // DocumentGone, DocumentUnshown or SignatureRefused
	}
	// SignDocument verifies the PIN of signatures and signs the document that was
	// fetched last. The answer is DocumentSigned, PINRejected or CardFailed.
	SignDocument struct {
		Visit    string
		PIN      PIN // the runner of the effect wipes it
		Document DocumentInfo
	}
	DocumentSigned struct {
		Visit     string
		Signature []byte // CAdES, DER
	}
	// HandIn gives the holder's decision to the hub. The answer is HandedIn,
	// DocumentFailed, HubUnreachable or HubFailed.
	HandIn struct {
		Visit     string
		Question  int
		Ticket    string
		Document  DocumentInfo
		Decision  Decision
		Signature []byte // CAdES, DER; nil unless signed
	}
	HandedIn struct {
		Visit    string
		Question int
	}
)

func (PrepareSignature) effect() {}
func (ListDocuments) effect()    {}
func (GetDocument) effect()      {}
func (SignDocument) effect()     {}
func (HandIn) effect()           {}

func (SignatureReady) event()  {}
func (DocumentsListed) event() {}
func (DocumentReady) event()   {}
func (DocumentFailed) event()  {}
func (DocumentSigned) event()  {}
func (HandedIn) event()        {}
