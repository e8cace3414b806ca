package kiosk

// This file has the steps in which the holder reads a document and signs or refuses it.

// documents is what a Visit knows of documents. The zero value is that of a visit without.
type documents struct {
	ticket   string         // authorises the kiosk to ask the hub for the holder's documents; "" if none waits
	list     []DocumentInfo // that wait
	chosen   DocumentInfo
	pages    []string // of the chosen one
	page     int      // that is shown; len(pages) is the question whether to sign
	seen     bool     // every page was shown
	decision Decision
	pin      PINStatus // the PIN of signatures
}

// beginDocuments reads the card's certificate for signatures first, before a person reads
// a document, because the card may be unable to sign.
func (s *step) beginDocuments() {
	s.do(PrepareSignature{s.id})
	s.enter(preparing, s.config.Timing.Reading)
}

// documentAnswer handles an answer about documents.
func (s *step) documentAnswer(e Event) {
	switch e := e.(type) {
	case SignatureReady:
		if s.in(e.Visit, preparing) {
			s.signatureReady(e.PIN)
		}
	case DocumentsListed:
		if e.Question == s.question && s.in(e.Visit, listing) {
			s.listed(e.Documents)
		}
	case DocumentReady:
		if e.Question == s.question && s.in(e.Visit, fetching) {
			s.read(e.Pages)
		}
	case DocumentFailed:
		if e.Question == s.question && s.in(e.Visit, listing, fetching, handingIn) {
			s.finish(Failed, e.Reason)
		}
	case DocumentSigned:
		if s.in(e.Visit, signingDocument) {
			s.handIn(DecisionSigned, e.Signature)
		}
	case HandedIn:
		if e.Question == s.question && s.in(e.Visit, handingIn) {
			s.finish(Completed, "")
		}
	}
}

// signatureReady asks the hub for the documents. A PIN that must be typed on the reader's
// keys does not serve, because the person would not see there what it is for.
func (s *step) signatureReady(pin PINStatus) {
	s.documents.pin = pin
	switch {
	case pin.blocked():
		s.finish(Failed, SignPINBlocked)
	case pin.OnReader:
		s.finish(Failed, NoSignKey)
	default:
		s.do(ListDocuments{s.id, s.ask(), s.documents.ticket})
		s.awaitHub(listing)
	}
}

func (s *step) awaitHub(in state) { s.enter(in, maxVerdictWithin+s.config.Timing.Hub) }

// listed lets the holder choose one of several documents.
func (s *step) listed(list []DocumentInfo) {
	s.documents.list = list[:min(len(list), MaxEntries)]
	switch len(list) {
	case 0:
		s.documents.ticket = ""
		s.finish(Failed, DocumentGone)
	case 1:
		s.getDocument(list[0])
	default:
		s.state, s.first = choosingDocument, 0
		s.stayFor(CueAttention)
	}
}

// documentKey handles a key in the list of documents, like menuKey.
func (s *step) documentKey(k Key) {
	switch n := int(k - '1'); {
	case s.warned && !k.IsDigit():
		s.stayFor(CueAttention)
	case k == KeyCorrect:
		s.finish(Cancelled, ByHolder)
	case k == KeyOK:
		s.first = (s.first + 1) % len(s.documents.list)
		s.stayFor(CueKey)
	case n < 0 || n >= len(s.documents.list):
		s.stayFor(CueRefused)
	default:
		s.do(Sound{CueKey})
		s.getDocument(s.documents.list[n])
	}
}

// getDocument fetches a document.
func (s *step) getDocument(d DocumentInfo) {
	s.documents.chosen = d
	s.do(GetDocument{s.id, s.ask(), s.documents.ticket, d})
	s.awaitHub(fetching)
}

// read shows the first page.
func (s *step) read(pages []string) {
	if len(pages) == 0 {
		s.finish(Failed, DocumentUnshown)
		return
	}
	s.documents.pages, s.documents.page, s.documents.seen = pages, 0, false
	s.state = readingDocument
	s.stayFor(CueAttention)
}

// readKey handles a key while the holder reads: OK shows the next page, and after the last
// one the question; * goes back; 0 asks the question at once, to refuse without reading.
// The question is answered by other keys, so that a key which bounces answers nothing.
func (s *step) readKey(k Key) {
	d := &s.documents
	asked := d.page == len(d.pages)
	switch {
	case s.warned && !k.IsDigit():
		s.stayFor(CueAttention)
	case k == KeyOK && !asked:
		d.page++
		d.seen = d.seen || d.page == len(d.pages)
		s.stayFor(CueKey)
	case k == KeyCorrect && d.page > 0:
		d.page--
		s.stayFor(CueKey)
	case k == KeyCorrect:
		s.finish(Cancelled, ByHolder)
	case k == '2' && asked:
		s.do(Sound{CueKey})
		s.handIn(DecisionRefused, nil)
	case k == '0' && !asked:
		d.page = len(d.pages)
		s.stayFor(CueAttention)
	case k == '1' && asked && d.seen:
		s.askFor(CodeSign)
	default:
		s.stayFor(CueRefused)
	}
}

// signDocument passes the PIN to the card. The effect wipes it.
func (s *step) signDocument() {
	s.do(SignDocument{s.id, s.pin, s.documents.chosen}, Sound{CueKey})
	s.pin, s.notice = PIN{}, ""
	s.enter(signingDocument, s.config.Timing.Signing)
}

// signPINRejected asks for the PIN of signatures again, unless it is blocked now.
func (s *step) signPINRejected(status PINStatus) {
	of := &s.documents.pin
	of.Tries, of.TriesKnown = status.Tries, status.TriesKnown
	switch {
	case status.blocked():
		s.finish(Failed, SignPINBlocked)
	case s.isLost(Keypad):
		s.finish(Failed, KeypadLost)
	default:
		s.wrongPIN, s.warned = true, false
		s.do(Sound{CueDenied})
		s.state = enteringPIN
		s.awaitKey()
	}
}

// documentScreen fills in the screen of a document, or of the list of documents.
func (v Visit) documentScreen(s *Screen) {
	d := v.documents
	s.TimeShort, s.Service = v.warned, v.service
	if v.state == choosingDocument {
		s.ID, s.First = ScreenDocuments, v.first
		for i, info := range d.list {
			s.Menu[i] = MenuEntry{ServiceDocument, info.Title}
		}
		return
	}
	s.ID, s.Title, s.Kind, s.Part, s.Parts = ScreenDocument, d.chosen.Title, d.chosen.Kind, d.page+1, len(d.pages)
	if d.page == len(d.pages) {
		s.ID, s.Part, s.Read = ScreenDecide, 0, d.seen
		return
	}
	s.Text = d.pages[d.page]
}

// handIn gives the decision to the hub.
func (s *step) handIn(d Decision, signature []byte) {
	s.documents.decision = d
	s.do(HandIn{s.id, s.ask(), s.documents.ticket, s.documents.chosen, d, signature})
	s.awaitHub(handingIn)
}

// closeDocument forgets what a service has read. After a decision the hub holds one less.
func (d *documents) closeDocument(decided bool) {
	if decided && len(d.list) <= 1 {
		d.ticket = ""
	}
	*d = documents{ticket: d.ticket}
}
