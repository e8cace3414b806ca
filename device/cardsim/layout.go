package cardsim

import "smartkiosk/device/apdu"

// layout describes a kind of card: everything that its cards have in common,
// and nothing from personalisation.
type layout struct {
	atr          []byte
	t1           bool // protocol T=1 with extended length; T=0 otherwise
	chaining     bool // supports command chaining
	pinCLA       byte // a class that PIN commands accept in addition to 00
	onlyPINCLA   bool // PIN commands accept only pinCLA
	signCLA      byte // the class of the signing commands
	label        string
	manufacturer string

	applet   []byte // AID of the applet that contains everything; nil for a card without applets
	greeting []byte // response data to the selection of the applet

	keepsStatus bool // selecting the applet again keeps verified PINs

	aid      []byte // name of the application's DF, also in EF.DIR; nil for no name and no EF.DIR
	df       uint16 // file identifier of the application's DF
	relative bool   // paths in directory files are relative to the application's DF
	ecSizes  bool   // EC keys have a field size in EF.PrKDF, which OpenSC writes though the standard has none
	shortIDs bool   // EF.ODF and EF.TokenInfo have short EF identifiers
	sizeTag  byte   // tag of a file's size in its control parameters: 80 or 81
	filled   int    // minimum size of a directory file in bytes
	filler   byte   // padding byte

	undescribed    bool        // TokenInfo lists no algorithms, and keys refer to none
	needsAlgorithm bool        // MSE SET must name the algorithm
	refusal        apdu.Status // for MSE SET in a form that the kind does not support; 6A80 when zero
	keyFiles       bool        // each key is an elementary file, which must be selected and named in MSE SET
	deciphers      bool        // RSA keys sign only by PSO: DECIPHER, with the block in two halves
	fileReferences bool        // the keys that are files have key references too
	invention      *Invention  // how an invented kind signs; nil for the others

	hashFirst bool // signatures by PSO: HASH, then COMPUTE DIGITAL SIGNATURE without data

	// For a kind that differs from ISO 7816-15: its file system and its commands.
	files        func(*layout, Image) *file
	instructions map[byte]instruction

	algorithms []algorithm
	pins       []pinLayout
	blocked    apdu.Status // status for a PIN without tries left
	keys       []keyLayout // in the order of the directory files

	// File identifiers within the application's DF.
	aodf, prkdf, cdf, trusted uint16
	authorities               uint16 // the first authority certificate; the others follow
}

// encoding is the encoding of the digits of a PIN in a command.
type encoding int

const (
	ascii encoding = iota // one byte per digit
	bcd                   // four bits per digit (ISO 7816-15 §8.9.2, bcd)
)

// pinLayout describes a PIN or PUK of a kind.
type pinLayout struct {
	name        string // in the image
	label       string
	id          byte // authId
	reference   byte // P2 of VERIFY
	global      bool // valid for the whole card, not only for the application
	encoding    encoding
	min, max    int  // digits
	stored      int  // bytes in a command
	pad         byte // padding byte
	tries       int
	unblockedBy string // name of the PUK; "" for a PUK
}

// keyLayout describes a place for a private key and its certificate.
type keyLayout struct {
	name        string // in the image
	label       string
	id          byte // common to key and certificate
	reference   byte // in MSE SET
	pin         string
	consent     int    // signatures per VERIFY (userConsent); 0 for no limit
	usage       []int  // bits of KeyUsageFlags
	bits        int    // size of an RSA modulus or of a curve's field
	algorithm   int    // index of the key's algorithm in TokenInfo
	file        uint16 // of the key, if the kind has key files
	certificate uint16
}

// Bits of KeyUsageFlags (ISO 7816-15 §8.4.2).
const (
	usageSign           = 2
	usageNonRepudiation = 9
)

// algorithm is a signature algorithm, as in TokenInfo's supportedAlgorithms.
type algorithm struct {
	index     int   // used by keys
	mechanism int64 // PKCS #11
	curve     bool  // ECDSA; otherwise RSA
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
