package usbreader

// Model is a make of reader: its descriptors, from which a driver knows what the
// reader can do.
type Model struct {
	Vendor, Product, Release   uint16 // idVendor, idProduct, bcdDevice
	Manufacturer, Name, Serial string
	Features                   uint32 // dwFeatures (CCID §5.1); the level of exchange is always TPDU
	PINPad                     bool   // the reader has keys and offers PIN verification
}

// Two makes that libccid supports, with their USB IDs. Their strings differ from
// the real ones, so that they can be told from hardware in a list of devices.
var (
	// Twin behaves like the Gemalto PC Twin Reader: the host sets protocol and
	// speed with PPS.
	Twin = Model{
		Vendor: 0x08E6, Product: 0x3437, Release: 0x0200,
		Manufacturer: "Smartkiosk", Name: "USB reader (software)", Serial: "software",
		Features: autoClock | autoBaud | anyNAD,
	}
	// SPR532 behaves like the SCM Microsystems SPR 532: it has keys for the
	// PIN, and sets protocol and speed by itself.
	SPR532 = Model{
		Vendor: 0x04E6, Product: 0xE003, Release: 0x0600,
		Manufacturer: "Smartkiosk", Name: "USB reader with keys (software)", Serial: "software",
		Features: autoParameters | autoVoltage | autoClock | autoBaud | autoPPS,
		PINPad:   true,
	}
)

// Bits of dwFeatures (CCID §5.1).
const (
	autoParameters = 0x00000002 // from the answer to reset
	autoVoltage    = 0x00000008
	autoClock      = 0x00000010
	autoBaud       = 0x00000020
	autoPPS        = 0x00000080
	anyNAD         = 0x00000200 // NAD other than 00 in T=1
	levelMask      = 0x00070000
	levelTPDU      = 0x00010000
)
