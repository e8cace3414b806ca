package reader

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/ebfe/scard"
)

// When a reader is unplugged with a card in it, its driver reports 0.4 s later
// that the card is gone. pcscd reports that the reader is gone when udev does,
// which is usually sooner, but later on a busy machine (libccid 1.5.2,
// IFDHICCPresence, and PCSCLITE_STATUS_POLL_RATE of pcsc-lite 1.9.9). The kernel
// has removed the device's file by then, so the file tells the two cases apart.

// setDevice records the USB device of the reader in which Watch saw the card.
func (r *Reader) setDevice(reader, device string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if reader == r.current {
		r.device = device
	}
}

// unplugged reports whether the reader that held the card has certainly been
// unplugged.
func (r *Reader) unplugged() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.device == "" {
		return false
	}
	_, err := os.Stat(r.device)
	return errors.Is(err, fs.ErrNotExist)
}

// usbDevice returns the file of the USB device of a card's reader, or "" if the
// driver does not name it or the file does not exist.
func usbDevice(card *scard.Card) string {
	channel, err := card.GetAttrib(scard.AttrChannelId)
	if err != nil {
		return ""
	}
	device := usbFile(channel)
	if _, err := os.Stat(device); err != nil {
		return ""
	}
	return device
}

// usbFile returns the file of a USB device from SCARD_ATTR_CHANNEL_ID, or "" if
// it is not a USB device. The upper half of the number is 0x20 for USB (PC/SC
// part 3, table 3-1); libccid puts bus and address in the lower half.
func usbFile(channel []byte) string {
	const usb = 0x20
	if len(channel) != 4 {
		return ""
	}
	n := binary.NativeEndian.Uint32(channel)
	if n>>16 != usb {
		return ""
	}
	return fmt.Sprintf("/dev/bus/usb/%03d/%03d", n>>8&0xff, n&0xff)
}
