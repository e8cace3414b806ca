package usbreader

import (
	"encoding/binary"
	"slices"
	"unicode/utf16"

	"smartkiosk/device/cardsim/usbreader/t1"
)

// The device's endpoints by number: commands, answers and events (CCID §4.4).
const (
	commandsOut  = 1
	answersIn    = 2
	eventsIn     = 3
	maxPacket    = 64 // bytes in a packet of a full-speed device
	directionIn  = 0x80
	answersAddr  = directionIn | answersIn
	eventsAddr   = directionIn | eventsIn
	eventsPacket = 8
)

// Descriptor types (USB 2.0 §9.4; CCID §5.1).
const (
	deviceDescriptor        = 1
	configurationDescriptor = 2
	stringDescriptor        = 3
	interfaceDescriptor     = 4
	endpointDescriptor      = 5
	ccidDescriptor          = 0x21
)

// maxMessage is the length of the longest message in either direction: a header
// and the longest TPDU, which has five bytes and 256 bytes of data.
const maxMessage = headerSize + 261

// Speeds of the line to the card at a clock of 4 MHz, in bits per second: clock ·
// D / F for the values of F and D in ISO 7816-3 §8.3, table 7.
const clock = 4000 // kHz

var dataRates = []uint32{10753, 21505, 43011, 86022, 125000, 172043, 250000, 344086}

// device is the device descriptor (USB 2.0 §9.6.1).
func (m Model) device() []byte {
	b := []byte{18, deviceDescriptor, 0x00, 0x02, 0x00, 0x00, 0x00, maxPacket} // USB 2.0; the class is the interface's
	for _, v := range []uint16{m.Vendor, m.Product, m.Release} {
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	return append(b, 1, 2, 3, 1) // strings 1 to 3, one configuration
}

// configuration is the configuration descriptor with its interface and endpoint
// descriptors (USB 2.0 §9.6.3, §9.6.5, §9.6.6).
func (m Model) configuration() []byte {
	b := slices.Concat(
		[]byte{9, configurationDescriptor, 0, 0, 1, 1, 0, 0x80, 50}, // length below; powered by the bus, 100 mA
		[]byte{9, interfaceDescriptor, 0, 0, 3, 0x0B, 0, 0, 0},      // three endpoints; class: smart card
		m.ccid(),
		[]byte{7, endpointDescriptor, commandsOut, 0x02, maxPacket, 0, 0},    // bulk
		[]byte{7, endpointDescriptor, answersAddr, 0x02, maxPacket, 0, 0},    // bulk
		[]byte{7, endpointDescriptor, eventsAddr, 0x03, eventsPacket, 0, 16}, // interrupt, every 16 ms
	)
	binary.LittleEndian.PutUint16(b[2:], uint16(len(b)))
	return b
}

// ccid is the smart card class descriptor (CCID §5.1).
func (m Model) ccid() []byte {
	b := []byte{54, ccidDescriptor, 0x10, 0x01, 0, 7} // CCID 1.10; one slot; 5, 3 and 1.8 V
	words := func(values ...uint32) {
		for _, v := range values {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
	}
	words(1<<0|1<<1, clock, clock)                        // dwProtocols: T=0 and T=1; dwDefaultClock, dwMaximumClock
	b = append(b, 0)                                      // bNumClockSupported: the default one
	words(dataRates[0], dataRates[len(dataRates)-1])      // dwDataRate, dwMaxDataRate
	b = append(b, byte(len(dataRates)))                   // bNumDataRatesSupported
	words(t1.MaxInformation, 0, 0)                        // dwMaxIFSD, dwSynchProtocols, dwMechanical
	words(m.Features&^levelMask|levelTPDU, maxMessage)    // dwFeatures, dwMaxCCIDMessageLength
	return append(b, 0xFF, 0xFF, 0, 0, m.pinSupport(), 1) // classes of GET RESPONSE and ENVELOPE: the command's; no display; one busy slot
}

func (m Model) pinSupport() byte {
	if m.PINPad {
		return 1 // verification
	}
	return 0
}

// text is a string descriptor (USB 2.0 §9.6.7): UTF-16, truncated to 126 units.
func text(s string) []byte {
	b := []byte{0, stringDescriptor}
	for _, u := range utf16.Encode([]rune(s)) {
		if len(b)+2 > 0xFF {
			break
		}
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	b[0] = byte(len(b))
	return b
}

// descriptor returns the descriptor of a type and index, or nil if it does not
// exist.
func (m Model) descriptor(kind, index byte) []byte {
	switch {
	case kind == deviceDescriptor && index == 0:
		return m.device()
	case kind == configurationDescriptor && index == 0:
		return m.configuration()
	case kind == stringDescriptor && index == 0:
		return []byte{4, stringDescriptor, 0x09, 0x04} // English (United States)
	case kind == stringDescriptor && index <= 3:
		return text([]string{m.Manufacturer, m.Name, m.Serial}[index-1])
	}
	return nil
}
