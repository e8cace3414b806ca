// Package cue drives the outputs with which a kiosk signals and switches: a
// buzzer, lamps, and a door strike or relay that is never left on. It also drives
// two inputs that protect the kiosk itself: a tamper switch and a hardware
// watchdog.
//
//	func main() {
//		cue.Guard(openPin) // first of all, see Strike
//		…
//		door, err := cue.OpenStrike("GPIO17", 10*time.Second)
//		err = door.Open(3 * time.Second)
//
// # A strike that cannot be left on
//
// A separate process, the guardian, holds the strike's line. OpenStrike starts
// it: it is this program again, under the name strike-guardian, in its own
// session, with no environment and with two pipes. The guardian first shuts the
// line. Later it shuts the line when one of these happens:
//
//   - the time of an opening has passed
//   - OpenStrike's max has passed; another opening may follow after a moment
//   - the parent's end of the pipe is closed; the kernel closes it however the parent dies
//   - it receives SIGTERM, SIGINT, SIGHUP, SIGQUIT or SIGABRT
//
// The mechanism that helps in each case:
//
//	what happens                         who shuts                               shown by
//	the kiosk panics, is killed (-9)     guardian: its pipe is closed            test, kill -9
//	its process group is killed (-9)     guardian: it is not in the group        test, kill -9 of the group
//	the kiosk hangs                      guardian: its time is over              test, SIGSTOP
//	the guardian is killed (-9)          the kiosk starts another, which shuts   test, kill -9
//	the guardian hangs                   the kiosk, at the next command or end   test, SIGSTOP
//	systemd stops the service            guardian: SIGTERM (KillMode=            test, SIGTERM
//	                                     control-group, the default)
//	both are killed at once (-9): OOM    the kernel, where it makes a released   deploy/bench
//	killer, systemctl kill -s KILL       line an input, and a pull-down resistor
//	both are stopped (SIGSTOP, a         the service manager, when kioskd misses test, SIGSTOP of both;
//	frozen control group)                its watchdog (WatchdogSec=): SIGABRT    deploy/bench; systemd in
//	                                     and SIGCONT, so that the guardian       deploy/packages
//	                                     shuts; then -9, as in the row above;
//	                                     then a new kioskd, which shuts first
//	guardian hangs and kiosk is dead     the service manager kills what is left  test, as above
//	                                     of the unit, and the new kioskd shuts
//	the service manager hangs too        the hardware watchdog, which is not     not shown
//	                                     pinged any more: reset makes the line
//	                                     an input
//	the kernel hangs or panics           the hardware watchdog: reset makes the  not shown
//	                                     line an input; its timeout is the bound
//	a transistor or a relay fails        no software                             not shown
//
// Do not rely on the kernel for more than it promises. A line that its holder
// closes becomes an input under the driver for the Pi in mainline Linux and in
// Debian (drivers/pinctrl/bcm/pinctrl-bcm2835.c, bcm2835_pmx_free). It keeps its
// level under Raspberry Pi's own kernels, unless config.txt has
// dtparam=strict_gpiod or the kernel command line has
// pinctrl_bcm2835.persist_gpio_outputs=n. Therefore:
//
//   - Set one of these two options.
//   - Fit an external pull-down of 10 kΩ at the driver's input.
//   - Use a pin whose pull at reset is down (GPIO9 to GPIO27).
//   - Leave KillMode at control-group. With KillMode=mixed the guardian would be killed at the moment at which it shuts.
//   - Add to the unit an ExecStopPost= with a program that opens and closes the strike once.
//
// If a door that stays open can do harm, use hardware that needs no software: a
// relay module with a one-shot timer, or a door controller that takes a pulse.
//
// In the tests the line is a FIFO that two processes share. It keeps its level
// when its holder dies, like the worse of the two kernels. The line of
// deploy/bench becomes an input, like the better one. Nothing here was run on a
// door.
//
// # Lamps, buzzer and watchdog
//
// Lamps and a buzzer that were on when a process died stay on until the program
// starts again; opening them switches them off. No ticker pings the watchdog: it
// is pinged when the last part of the program has reported that it did its work.
//
// Voice output has no port here yet. Such a port would take the name of a cue
// instead of a Buzzer's notes, at the place where kioskd passes cues to the
// buzzer (cmd/kioskd/internal/frontpanel).
//
// # Sources
//
//   - lines: Documentation/userspace-api/gpio/chardev.rst
//   - release on a Pi: github.com/raspberrypi/linux pull requests 6117 and 6150
//   - pulls at reset: BCM2835 ARM Peripherals §6.2, table 6-31
//   - PWM: Documentation/driver-api/pwm.rst, Documentation/ABI/testing/sysfs-class-pwm
//   - watchdog: Documentation/watchdog/watchdog-api.rst, include/uapi/linux/watchdog.h
//   - systemd.kill(5), systemd.service(5)
//
// # Parts, and how each was tested
//
//	part                          tested on
//	lamps, active buzzer          gpiotest pins; lines of a kernel (deploy/bench)
//	piezo on a line with PWM      gpiotest pin
//	piezo on Linux's PWM          files, and a model of the kernel's rules for them; PWM of a kernel (deploy/bench)
//	strike                        processes that the test kills and stops, on a FIFO and on a line of a kernel (deploy/bench); guard in virtual time
//	tamper switch                 a gpiotest pin with a switch, also when the line is lost, in virtual time; a line of a kernel (deploy/bench)
//	watchdog                      a model of the device in virtual time; a plain file, whose requests the kernel refuses; softdog (deploy/bench)
//
// No part was tested on hardware.
package cue
