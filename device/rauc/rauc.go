// Package rauc has RAUC install bundles on this machine (rauc.io), through its D-Bus interface
// de.pengutronix.rauc.Installer (RAUC reference, "D-Bus API"). It works with RAUC 1.8 and
// later.
package rauc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/godbus/dbus/v5"
)

const (
	service   = "de.pengutronix.rauc"
	installer = service + ".Installer"
)

// Client asks the RAUC service. The zero value is ready for use. Each call has a connection
// of its own, because a kiosk rarely needs one.
type Client struct {
	// Address is the bus, "" for the system bus.
	Address string
}

// call connects to the bus, and calls f with RAUC's object.
func (c Client) call(ctx context.Context, f func(bus *dbus.Conn, rauc dbus.BusObject) error) error {
	var bus *dbus.Conn
	var err error
	if c.Address == "" {
		bus, err = dbus.ConnectSystemBus(dbus.WithContext(ctx))
	} else {
		bus, err = dbus.Connect(c.Address, dbus.WithContext(ctx))
	}
	if err != nil {
		return fmt.Errorf("cannot connect to D-Bus: %w", err)
	}
	err = f(bus, bus.Object(service, "/"))
	_ = bus.Close() // nothing is lost
	return err
}

// Present reports whether this machine has a RAUC service. A machine without D-Bus has none.
func (c Client) Present(ctx context.Context) (present bool, err error) {
	err = c.call(ctx, func(bus *dbus.Conn, _ dbus.BusObject) error {
		for _, list := range []string{"ListActivatableNames", "ListNames"} {
			var names []string
			if err := bus.BusObject().CallWithContext(ctx, "org.freedesktop.DBus."+list, 0).Store(&names); err != nil {
				return fmt.Errorf("cannot ask D-Bus for RAUC: %w", err)
			}
			present = present || slices.Contains(names, service)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return present, err
}

// slotStatus is one element of the answer of GetSlotStatus.
type slotStatus struct {
	Name   string
	Status map[string]dbus.Variant
}

func (s slotStatus) text(key string) string {
	text, _ := s.Status[key].Value().(string) // "" if it is missing
	return text
}

// Status returns the kind of this machine, the slot that it runs from, and the version of the
// bundle that RAUC has installed there, or "" if RAUC did not install it.
func (c Client) Status(ctx context.Context) (compatible, slot, version string, err error) {
	err = c.call(ctx, func(_ *dbus.Conn, rauc dbus.BusObject) error {
		if compatible, err = property(ctx, rauc, "Compatible"); err != nil {
			return err
		}
		var slots []slotStatus
		if err := rauc.CallWithContext(ctx, installer+".GetSlotStatus", 0).Store(&slots); err != nil {
			return err
		}
		for _, s := range slots {
			if s.text("state") == "booted" {
				slot, version = s.Name, s.text("bundle.version")
				return nil
			}
		}
		return errors.New("it knows none of its slots as the running one")
	})
	if err != nil {
		return "", "", "", fmt.Errorf("cannot read the state of RAUC: %w", err)
	}
	return compatible, slot, version, nil
}

func property(ctx context.Context, rauc dbus.BusObject, name string) (string, error) {
	var value dbus.Variant
	if err := rauc.CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0, installer, name).Store(&value); err != nil {
		return "", err
	}
	text, ok := value.Value().(string)
	if !ok {
		return "", fmt.Errorf("%s is no text", name)
	}
	return text, nil
}

// Inspect checks a bundle's signature, and returns what the bundle says about itself. If RAUC
// does not accept the bundle, refusal says why.
func (c Client) Inspect(ctx context.Context, path string) (compatible, version, refusal string, err error) {
	err = c.call(ctx, func(_ *dbus.Conn, rauc dbus.BusObject) error {
		var info map[string]dbus.Variant
		err := rauc.CallWithContext(ctx, installer+".InspectBundle", 0, path, map[string]dbus.Variant{}).Store(&info)
		if answer, ok := errors.AsType[dbus.Error](err); ok && answer.Name == "org.freedesktop.DBus.Error.UnknownMethod" {
			// RAUC before 1.10 has only this, and does not say why it refuses a bundle.
			err = rauc.CallWithContext(ctx, installer+".Info", 0, path).Store(&compatible, &version)
		} else if err == nil {
			update, _ := info["update"].Value().(map[string]dbus.Variant) // nil if it is missing
			compatible, _ = update["compatible"].Value().(string)
			version, _ = update["version"].Value().(string)
		}
		refusal, err = refused(err)
		return err
	})
	if err != nil {
		return "", "", "", fmt.Errorf("cannot have RAUC check %s: %w", path, err)
	}
	return compatible, version, refusal, nil
}

// refused returns what RAUC itself answered, or err if RAUC did not answer.
func refused(err error) (string, error) {
	answer, ok := errors.AsType[dbus.Error](err)
	if !ok {
		return "", err
	}
	switch answer.Name {
	case "org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.NameHasNoOwner",
		"org.freedesktop.DBus.Error.AccessDenied", "org.freedesktop.DBus.Error.Spawn.ExecFailed", "org.freedesktop.DBus.Error.TimedOut":
		return "", err
	}
	return answer.Error(), nil
}

// Install writes a bundle into the slot that is not in use, and makes the machine start from
// it. If RAUC cannot install the bundle, refusal says why.
func (c Client) Install(ctx context.Context, path string) (refusal string, err error) {
	err = c.call(ctx, func(bus *dbus.Conn, rauc dbus.BusObject) error {
		operation, err := property(ctx, rauc, "Operation")
		if err != nil {
			return err
		}
		if operation != "idle" {
			return fmt.Errorf("it is %s already", operation)
		}
		signals := make(chan *dbus.Signal, 16)
		bus.Signal(signals)
		defer bus.RemoveSignal(signals)
		if err := bus.AddMatchSignalContext(ctx, dbus.WithMatchInterface(installer), dbus.WithMatchMember("Completed")); err != nil {
			return err
		}
		// The bus tells when RAUC dies.
		if err := bus.AddMatchSignalContext(ctx, dbus.WithMatchInterface("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, service)); err != nil {
			return err
		}
		err = rauc.CallWithContext(ctx, installer+".InstallBundle", 0, path, map[string]dbus.Variant{}).Err
		if refusal, err = refused(err); err != nil || refusal != "" {
			return err
		}
		result, err := completed(ctx, signals)
		if err != nil || result == 0 {
			return err
		}
		if refusal, err = property(ctx, rauc, "LastError"); err == nil && refusal == "" {
			refusal = fmt.Sprintf("RAUC failed with %d", result)
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("cannot have RAUC install %s: %w", path, err)
	}
	return refusal, nil
}

// Operation returns what RAUC does: idle or installing.
func (c Client) Operation(ctx context.Context) (operation string, err error) {
	err = c.call(ctx, func(_ *dbus.Conn, rauc dbus.BusObject) error {
		operation, err = property(ctx, rauc, "Operation")
		return err
	})
	if err != nil {
		return "", fmt.Errorf("cannot read the state of RAUC: %w", err)
	}
	return operation, nil
}

// completed waits for the end of an installation, and returns RAUC's result, 0 for success.
func completed(ctx context.Context, signals <-chan *dbus.Signal) (int32, error) {
	for {
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case s, ok := <-signals:
			if !ok {
				return 0, errors.New("the connection to D-Bus ended")
			}
			var result int32
			switch {
			case s.Name == "org.freedesktop.DBus.NameOwnerChanged" && len(s.Body) == 3 && s.Body[0] == service && s.Body[2] == "":
				return 0, errors.New("RAUC ended")
			case s.Name == installer+".Completed" && dbus.Store(s.Body, &result) == nil:
				return result, nil
			}
		}
	}
}

// MarkGood makes the machine start from the running slot from now on.
func (c Client) MarkGood(ctx context.Context) error { return c.mark(ctx, "good", "booted") }

// FallBack makes the machine start from the other slot.
func (c Client) FallBack(ctx context.Context) error {
	if err := c.mark(ctx, "bad", "booted"); err != nil {
		return err
	}
	return c.mark(ctx, "active", "other")
}

func (c Client) mark(ctx context.Context, state, slot string) error {
	err := c.call(ctx, func(_ *dbus.Conn, rauc dbus.BusObject) error {
		return rauc.CallWithContext(ctx, installer+".Mark", 0, state, slot).Err
	})
	if err != nil {
		return fmt.Errorf("cannot have RAUC mark the %s slot as %s: %w", slot, state, err)
	}
	return nil
}

// Restart restarts the machine through systemd-logind.
func (c Client) Restart(ctx context.Context) error {
	err := c.call(ctx, func(bus *dbus.Conn, _ dbus.BusObject) error {
		return bus.Object("org.freedesktop.login1", "/org/freedesktop/login1").CallWithContext(ctx, "org.freedesktop.login1.Manager.Reboot", 0, false).Err
	})
	if err != nil {
		return fmt.Errorf("cannot restart the machine: %w", err)
	}
	return nil
}
