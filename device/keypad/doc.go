// Package keypad reads the keypads that are on sale: 3×4 and 4×4 matrices of bare
// contacts on GPIO lines, and USB number pads. Both send keys as runes ('0' to
// '9', '*', '#', 'L' for the next language, 'R' and 'V' for repeat and
// volume of speech) and events for a technician.
//
//	k, err := keypad.OpenMatrix(keypad.Matrix{Rows: rows, Cols: columns, Layout: keypad.Layout{"123L", "456 ", "789 ", "*0# "}})
//	for key := range k.Keys() { … }
//
// # Typed keys are secret
//
// A key goes to Keys and nowhere else. Events name no key, not even a stuck one,
// because somebody may be holding down the last digit of a PIN. Nothing is
// logged, and buffers that held keys are cleared. The driver grabs a number pad
// (EVIOCGRAB), so that no console, desktop or other reader of event devices gets
// its keys. The grab ends with the process. It does not cover the raw reports at
// /dev/hidraw*, which only root may read: add no user to a group that may read
// them. Keys pressed before the grab go to the other readers as usual.
//
// # Matrix
//
// While no key is down, every row is low and the driver waits for an edge on a
// column. It wakes once a second per column and reads one level. An edge starts
// the scan, which takes a little more than a millisecond per row and repeats
// until all keys are up. A row that is not being scanned is an input with a
// pull-up, so two pressed keys never connect two outputs. A key counts when it
// was the same for 20 ms and in at least three scans; contacts bounce for a few
// milliseconds. While two keys are down, a key that has not counted yet does not
// count. Three keys at the corners of a rectangle also close the fourth corner (a
// ghost), which never counts. A key that is held for 20 s is stuck: it is
// ignored, and does not block other keys, until it is released.
//
// A USB pad debounces and scans by itself. On a USB pad the next key may go down
// before the last one is up.
//
// # Sources
//
//   - matrix, diodes and ghosts: Linux drivers/input/keyboard/matrix_keypad.c;
//     Documentation/devicetree/bindings/input/matrix-keymap.yaml
//   - lines: Documentation/userspace-api/gpio/chardev.rst; periph.io/x/conn/v3/gpio
//   - pulls at reset: BCM2835 ARM Peripherals §6.2, table 6-31
//   - bounce: Omron B3F data sheet (5 ms at most); Ganssle, A Guide to
//     Debouncing (of 18 kinds of switch all but one under 6.2 ms)
//   - event devices: include/uapi/linux/input.h and input-event-codes.h,
//     Documentation/input/event-codes.rst, drivers/input/evdev.c
//   - hot-plug: inotify(7)
//
// # Parts, and how each was tested
//
//	part                              tested on
//	3×4 and 4×4 matrix, edges         a model of the contacts and their currents, in virtual time; contacts between lines of a kernel (deploy/bench)
//	matrix on lines without edges     the model
//	USB number pad, event stream      bytes of a struct input_event printed by C; a FIFO in place of the device; uinput (deploy/bench)
//	USB number pad, coming and going  inotify on a real folder; stand-ins for the devices; uinput (deploy/bench)
//	EVIOCGRAB and the other requests  their numbers against <linux/input.h>; uinput (deploy/bench, and the test with the build tag uinput)
//
// No part was tested on hardware.
package keypad
