// Package cue drives what a kiosk signals and switches with: a buzzer, lamps, a
// door strike or relay that is never left on, and what looks after the kiosk
// itself, a tamper switch and a hardware watchdog.
//
//	func main() {
//		cue.Guard(openPin) // first of all, see Strike
//		…
//		door, err := cue.OpenStrike("GPIO17", 10*time.Second)
//		err = door.Open(3 * time.Second)
//
// # A strike that cannot be left on
//
// A process of its own, the guardian, holds the strike's line: this program
// again, started by OpenStrike under the name strike-guardian, in a session of
// its own, with no environment and two pipes. It shuts the line when the time
// of an opening is over, when OpenStrike's max is over however often it was
// told to open again, when its parent's end of the pipe is closed, which the
// kernel does for a parent that dies of anything, and on SIGTERM, SIGINT,
// SIGHUP and SIGQUIT. It begins by shutting. What each mechanism is good for:
//
//	what happens                         who shuts                               shown by
//	the kiosk panics, is killed (-9)     guardian: its pipe is closed            test, kill -9
//	its process group is killed (-9)     guardian: it is not of the group        test, kill -9 of the group
//	the kiosk hangs                      guardian: its time is over              test, SIGSTOP
//	the guardian is killed (-9)          the kiosk starts another, which shuts   test, kill -9
//	the guardian hangs                   the kiosk, at the next command          test, SIGSTOP
//	systemd stops the service            guardian: SIGTERM (KillMode=            test, SIGTERM
//	                                     control-group, the default)
//	both are killed at once (-9): OOM    the kernel, where it makes a released   deploy/bench
//	killer, systemctl kill -s KILL       line an input, and a pull-down resistor
//	guardian hangs and kiosk is dead     nobody in software                      not shown
//	the kernel hangs or panics           the hardware watchdog: reset makes the  not shown
//	                                     line an input; its timeout is the bound
//	a transistor or a relay fails        nobody in software                      not shown
//
// Do not count on the kernel for more than it says: a line that its holder
// closes becomes an input under mainline Linux's and Debian's driver for the Pi
// (drivers/pinctrl/bcm/pinctrl-bcm2835.c, bcm2835_pmx_free), but keeps its level
// under Raspberry Pi's own kernels, unless config.txt has
// dtparam=strict_gpiod or the command line
// pinctrl_bcm2835.persist_gpio_outputs=n. So: set that; have an external
// pull-down of 10 kΩ at the driver's input, and a pin whose pull at reset is down
// (GPIO9 to GPIO27); with KillMode=mixed the guardian would be killed at the
// moment it shuts, so leave it at control-group; and in the unit,
// ExecStopPost= with a program that opens and closes the strike once.
//
// Where a door that stays open does harm, use what needs no software: a relay
// module with a one-shot timer, or a controller of the door that takes a pulse.
//
// The tests' line is a FIFO that two processes see, and it keeps its level when
// its holder dies: the worse of the two kernels. The line of deploy/bench becomes
// an input, the better one. Nothing here was run on a door.
//
// # The others
//
// Lamps and a buzzer that were on when a process died stay on until it is
// started again; opening them switches them off. A watchdog is pinged by no
// ticker but by the last part of a program that has said it did its work.
//
// A voice has no port here yet, and needs none: it would take what a Buzzer
// takes, the name of a cue in place of its notes, at the place where kioskd
// hands cues to the buzzer (cmd/kioskd/internal/frontpanel).
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
// # Parts, and what each was proven on
//
//	part                          proven on
//	lamps, active buzzer          gpiotest pins; lines of a kernel (deploy/bench)
//	piezo on a line with PWM      gpiotest pin
//	piezo on Linux's PWM          files, and a model of the kernel's rules for them; PWM of a kernel (deploy/bench)
//	strike                        processes that are killed and stopped, on a FIFO and on a line of a kernel (deploy/bench); guard in virtual time
//	tamper switch                 a gpiotest pin with a switch, and lost, in virtual time; a line of a kernel (deploy/bench)
//	watchdog                      a model of the device in virtual time; a plain file for what the kernel refuses; softdog (deploy/bench)
//
// None was proven on hardware.
package cue
