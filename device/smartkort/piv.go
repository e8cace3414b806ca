package smartkort

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"fmt"

	"smartkiosk/device/apdu"
	"smartkiosk/device/apdu/tlv"
)

// pivAlgorithm returns the algorithm identifier of a key for GENERAL AUTHENTICATE
// (NIST SP 800-78-5, table 9), 0 for none.
func pivAlgorithm(key crypto.PublicKey) byte {
	size := 0
	switch key := key.(type) {
	case *rsa.PublicKey:
		size = key.N.BitLen()
	case *ecdsa.PublicKey:
		size = key.Params().BitSize
	}
	return map[int]byte{1024: 0x06, 2048: 0x07, 3072: 0x05, 256: 0x11, 384: 0x14}[size]
}

// generalAuthenticate signs with GENERAL AUTHENTICATE (NIST SP 800-73-4 part 2, 3.2.4):
// the dynamic authentication template (7C) requests a response (82) to the data (81).
func (s *signer) generalAuthenticate(r recipe, data []byte, size int) ([]byte, error) {
	algorithm := s.key.piv
	if r.Algorithm >= 0 {
		algorithm = byte(r.Algorithm)
	}
	template := tlv.Append(nil, 0x82)
	template = tlv.Append(template, 0x81, data...)
	answer, err := s.card.channel.demand(s.ctx, apdu.Command{
		CLA: r.Class, INS: insGeneralAuth, P1: algorithm, P2: byte(s.key.Reference), Data: tlv.Append(nil, 0x7C, template...), Le: size,
	})
	if err != nil {
		return nil, err
	}
	signature, ok := tlv.Find(answer, 0x7C, 0x82)
	if !ok {
		return nil, fmt.Errorf("%w: response of %d bytes without a signature", ErrMalformed, len(answer))
	}
	return signature, nil
}
