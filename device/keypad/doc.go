// Package keypad reads keypads as one buys them: 3×4 and 4×4 matrices of bare
// contacts on GPIO lines, and USB number pads. Both give keys as runes ('0' to
// '9', '*', '#', and 'L' for the next language) and events for a technician.
//
//	k, err := keypad.OpenMatrix(keypad.Matrix{Rows: rows, Cols: columns, Layout: keypad.Layout{"123L", "456 ", "789 ", "*0# "}})
//	for key := range k.Keys() { … }
//
// # What is typed is a secret
//
// A key goes to Keys and nowhere else. Events name no key, not even one that is
// stuck: it may be the last digit of a PIN that somebody leans on. Nothing is
// logged, and buffers that keys passed through are cleared. A number pad is
// grabbed (EVIOCGRAB), so that no console, desktop or other reader of event
// devices gets its keys; the grab ends with the process. It does not bind the
// raw reports at /dev/hidraw*, which root alone may read: give no user the
// group of those. Keys pressed before the grab went where they always go.
//
// # Matrix
//
// While no key is down every row is low and the driver waits for an edge on a
// column: it wakes once a second per column and reads one level. An edge starts
// the scan, a millisecond or a little more for each row, again and again until
// all keys are up. A row that is not scanned is an input with a pull-up, so two
// keys never join two outputs. A key counts when it was the same for 20 ms in
// three scans or more; contacts bounce for a few milliseconds. With two keys
// down, neither counts that has not counted already; three at the corners of a
// rectangle show a fourth, which never counts. A key held for 20 s is stuck: it
// is out, and no longer in the way of the others, until it is let go.
//
// A USB pad debounces and scans by itself; here it may roll from key to key.
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
// # Parts, and what each was proven on
//
//	part                              proven on
//	3×4 and 4×4 matrix, edges         a model of the contacts and their currents, in virtual time; contacts between lines of a kernel (deploy/bench)
//	matrix on lines without edges     the model
//	USB number pad, event stream      bytes of a struct input_event printed by C; a FIFO in place of the device; uinput (deploy/bench)
//	USB number pad, coming and going  inotify on a real folder; stand-ins for the devices; uinput (deploy/bench)
//	EVIOCGRAB and the other requests  their numbers against <linux/input.h>; uinput (deploy/bench, and the test with the build tag uinput)
//
// None was proven on hardware.
package keypad
