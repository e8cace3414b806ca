package cardsim

import "smartkiosk/device/apdu"

// layout is how one kind of card is spoken to: all that its cards have in
// common, and nothing that personalisation puts on them.
type layout struct {
	atr          []byte
	t1           bool // protocol T=1 with extended length; T=0 otherwise
	chaining     bool // long commands come in pieces
	pinCLA       byte // a class that PIN commands take beside 00
	label        string
	manufacturer string

	applet   []byte // AID of an applet that everything lies behind; nil for a card that is all one
	greeting []byte // what the applet answers to its selection

	aid      []byte // name of the application's DF, also in EF.DIR; nil for none, and no EF.DIR
	df       uint16 // file identifier of the application's DF
	relative bool   // directory files have paths relative to the application's DF
	ecSizes  bool   // EC keys have a field size in EF.PrKDF, which OpenSC writes and the standard does not know
	sizeTag  byte   // of a file's size in its control parameters: 80 or 81
	filled   int    // bytes that a directory file takes at least
	filler   byte   // what fills it up

	algorithms []algorithm
	pins       []pinLayout
	blocked    apdu.Status // of a PIN without tries left
	keys       []keyLayout // in the order of the directory files

	// File identifiers within the application's DF.
	aodf, prkdf, cdf, trusted uint16
	authorities               uint16 // the first authority certificate; the others follow
}

// encoding is how the digits of a PIN stand in a command.
type encoding int

const (
	ascii encoding = iota // a byte each
	bcd                   // four bits each (ISO 7816-15 §8.9.2, bcd)
)

// pinLayout is a PIN or PUK: how it is referred to and written.
type pinLayout struct {
	name        string // in the image
	label       string
	id          byte // authId
	reference   byte // P2 of VERIFY
	global      bool // counts for the whole card, not for the application
	encoding    encoding
	min, max    int  // digits
	stored      int  // bytes in a command
	pad         byte // what fills them up; none where max digits do
	tries       int
	unblockedBy string // name of the PUK; "" for a PUK
}

// keyLayout is a place for a private key and its certificate.
type keyLayout struct {
	name        string // in the image
	label       string
	id          byte // common to key and certificate
	reference   byte // in MSE SET
	pin         string
	consent     int   // signatures for one VERIFY (userConsent); 0 for any number
	usage       []int // bits of KeyUsageFlags
	bits        int   // size of an RSA modulus, or of a curve's field
	algorithm   int   // index of the one algorithm in TokenInfo
	certificate uint16
}

// Bits of KeyUsageFlags (ISO 7816-15 §8.4.2).
const (
	usageSign           = 2
	usageNonRepudiation = 9
)

// algorithm is a way to sign, as TokenInfo's supportedAlgorithms has it.
type algorithm struct {
	index     int   // what keys refer to it by
	mechanism int64 // PKCS #11
	curve     bool  // ECDSA; RSA otherwise
	reference byte  // in MSE SET
	recipe    recipe
}

// PKCS #11 mechanisms.
const (
	mechanismPKCS1     = 0x0001 // CKM_RSA_PKCS: over a DigestInfo
	mechanismRaw       = 0x0003 // CKM_RSA_X_509: over a whole block
	mechanismSHA256RSA = 0x0040 // CKM_SHA256_RSA_PKCS
	mechanismECDSA     = 0x1041 // CKM_ECDSA: over the hash
)
