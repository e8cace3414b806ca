//go:build linux

package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/cmd/internal/devicekey"
	"smartkiosk/device/tpmkey"
)

func (p program) keyCreateCommand() *cobra.Command {
	var file, device string
	c := &cobra.Command{
		Use:   "create --tpm FILE",
		Short: "Make a kiosk's device key in this machine's TPM",
		Long: `Make a kiosk's device key in this machine's TPM 2.0, and print a certificate
request (PEM) for the hub: "kioskhub kiosk add --csr". FILE is written; it holds
what this TPM, and no other, needs to use the key. The bundle that the hub then
makes contains no key: put FILE into it, under the name in its kioskd.toml.`,
		Args: cli.Args(),
		RunE: func(*cobra.Command, []string) error { return p.keyCreate(file, device) },
	}
	c.Flags().StringVar(&file, "tpm", "", "the `file` to write")
	c.Flags().StringVar(&device, "device", tpmkey.DefaultDevice, "the TPM's `device`")
	return c
}

func (p program) keyCreate(file, device string) error {
	if file == "" {
		return cli.Usagef("--tpm is missing")
	}
	request, err := createKey(file, device)
	if err != nil {
		return err
	}
	_, err = p.stdout.Write(request)
	return err
}

// createKey makes a key in a TPM, writes its key file and returns a certificate request
// (RFC 2986) for it. The request contains no name, because the operator tells the hub
// whose key it is.
func createKey(file, device string) (request []byte, err error) {
	if err := devicekey.Create(file, device); err != nil {
		return nil, err
	}
	request, err = devicekey.Request(file, device)
	if err != nil {
		return nil, errors.Join(err, os.Remove(file))
	}
	return request, nil
}
