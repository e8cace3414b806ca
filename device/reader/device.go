package reader

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/ebfe/scard"
)

// A reader that is unplugged with a card in it: its driver calls the card gone
// 0.4 s later, and pcscd the reader when udev tells of it, which is sooner, but
// in a machine that has much to do later (libccid 1.5.2, IFDHICCPresence, and
// PCSCLITE_STATUS_POLL_RATE of pcsc-lite 1.9.9). By then the kernel has removed
// the device's file.

// setDevice notes the device of the reader that Watch saw the card in.
func (r *Reader) setDevice(reader, device string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if reader == r.current {
		r.device = device
	}
}

// unplugged tells whether the device of the reader in which there was a card
// is known to be gone.
func (r *Reader) unplugged() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.device == "" {
		return false
	}
	_, err := os.Stat(r.device)
	return errors.Is(err, fs.ErrNotExist)
}

// usbDevice gives the file of the USB device that a card's reader is; "" when
// its driver does not say, or there are no such files to be seen.
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

// usbFile gives the file of a USB device by SCARD_ATTR_CHANNEL_ID: a number
// whose upper half is 0x20 for USB (PC/SC part 3, table 3-1), and in the lower
// libccid has bus and address. "" for anything else.
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
