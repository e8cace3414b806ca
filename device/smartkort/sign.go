package smartkort

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"smartkiosk/device/apdu"
	"smartkiosk/device/apdu/tlv"
)

// maxRSA is the longest modulus and signature, in bytes.
const maxRSA = 512

// ErrUnsupportedKey means that the driver or the card cannot sign with this
// kind of key, or not with the requested padding or hash.
var ErrUnsupportedKey = errors.New("unsupported kind of signature")

// ErrConsent means that the PIN must be verified again before the key signs
// once more. Nothing was sent.
var ErrConsent = errors.New("the PIN must be entered again for this signature")

// ErrNextRecipe means that the card refused a signing recipe and no longer counts
// the PIN as verified. The next visit of this kind of card begins with another
// recipe.
var ErrNextRecipe = errors.New("the card refused this way of signing and asks for the PIN again; the next visit tries another way")

// Signer returns the private key of a certificate: RSA of up to 4096 bits with
// PKCS #1 v1.5 or PSS, or ECDSA on P-256 or P-384, over SHA-256, SHA-384 or
// SHA-512. ECDSA signatures are always ASN.1, as in crypto/ecdsa. The PIN must
// be verified before Sign is called. Sign uses ctx for its commands, because
// crypto.Signer takes no context.
func (c *Card) Signer(ctx context.Context, cert Certificate) (crypto.Signer, error) {
	parsed, err := x509.ParseCertificate(cert.DER)
	if err != nil {
		return nil, fmt.Errorf("cannot use certificate %X: %w: %v", cert.ID, ErrMalformed, err)
	}
	s := signer{ctx: ctx, card: c, key: cert.Key}
	if s.key.kind == 0 { // the profile leaves it to the certificate
		s.key.kind = map[x509.PublicKeyAlgorithm]uint32{x509.RSA: keyRSA, x509.ECDSA: keyEC}[parsed.PublicKeyAlgorithm]
	}
	s.key.piv = pivAlgorithm(parsed.PublicKey)
	switch public := parsed.PublicKey.(type) {
	case *rsa.PublicKey:
		if s.key.kind == keyRSA && public.Size() <= maxRSA {
			return &rsaSigner{s, public}, nil
		}
	case *ecdsa.PublicKey:
		if s.key.kind == keyEC && (public.Curve == elliptic.P256() || public.Curve == elliptic.P384()) {
			s.field = (public.Params().BitSize + 7) / 8
			return &ecSigner{s, public}, nil
		}
	}
	return nil, fmt.Errorf("cannot use certificate %X: %w: %v, key %s", cert.ID, ErrUnsupportedKey, parsed.PublicKeyAlgorithm, cert.Key.Kind())
}

// signer is the common part of rsaSigner and ecSigner.
type signer struct {
	ctx   context.Context
	card  *Card
	key   Key
	field int // bytes of a coordinate of an EC key
}

type rsaSigner struct {
	signer
	public *rsa.PublicKey
}

func (s *rsaSigner) Public() crypto.PublicKey { return s.public }

// Sign lets the card sign a digest and verifies the signature with the public
// key, so that a wrong signature is detected here. random provides the salt of
// PSS if the card does not make it. If the card refuses a recipe, Sign tries the
// next one while the PIN stays verified.
func (s *rsaSigner) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	pss, isPSS := opts.(*rsa.PSSOptions)
	hash := opts.HashFunc()
	if digestInfo[hash] == nil || len(digest) != hash.Size() {
		return nil, fmt.Errorf("cannot sign: %w: %v over %d bytes", ErrUnsupportedKey, hash, len(digest))
	}
	if !isPSS {
		return s.tryRecipes(pkcsScheme(hash), hash, attempt{
			size: s.public.Size(),
			data: func(r recipe) ([]byte, error) { return r.pkcs1(digest, hash, s.public.Size()), nil },
			check: func(signature []byte) ([]byte, error) {
				return signature, rsa.VerifyPKCS1v15(s.public, hash, digest, signature)
			},
		})
	}
	salt := pssSalt(pss, hash)
	return s.tryRecipes(pssScheme(hash), hash, attempt{
		size: s.public.Size(),
		data: func(r recipe) ([]byte, error) {
			if !r.wholeBlock() {
				return digest, nil
			}
			return encodePSS(random, digest, s.public.N.BitLen(), salt, hash)
		},
		check: func(signature []byte) ([]byte, error) {
			return signature, rsa.VerifyPSS(s.public, hash, digest, signature, &rsa.PSSOptions{SaltLength: salt})
		},
	})
}

type ecSigner struct {
	signer
	public *ecdsa.PublicKey
}

func (s *ecSigner) Public() crypto.PublicKey { return s.public }

// Sign lets the card sign a digest, truncated to the size of the curve (ANSI
// X9.62, FIPS 186-5 §6.4.1). Cards return R and S concatenated or in DER. Sign
// converts both to DER and verifies the signature.
func (s *ecSigner) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	hash := opts.HashFunc()
	if digestInfo[hash] == nil || len(digest) != hash.Size() {
		return nil, fmt.Errorf("cannot sign: %w: %v over %d bytes", ErrUnsupportedKey, hash, len(digest))
	}
	field := s.field
	return s.tryRecipes(ecScheme(hash), hash, attempt{
		size: apdu.MaxShortLe,
		data: func(recipe) ([]byte, error) { return digest[:min(len(digest), field)], nil },
		check: func(answer []byte) ([]byte, error) {
			for _, signature := range [][]byte{answer, derOfRaw(answer, field)} {
				if signature != nil && ecdsa.VerifyASN1(s.public, digest, signature) {
					return signature, nil
				}
			}
			return nil, errors.New("ECDSA verification error")
		},
	})
}

// attempt is what tryRecipes needs to know about one signature.
type attempt struct {
	size  int                                 // bytes of the signature to request
	data  func(recipe) ([]byte, error)        // data that a recipe sends
	check func(answer []byte) ([]byte, error) // verifies the card's answer and returns the signature
}

// maxWrong is how many wrong signatures a card may give before the driver stops
// trying recipes.
const maxWrong = 3

// tryRecipes tries a scheme's recipes until one makes a valid signature. It
// stops when the card no longer counts the PIN as verified, so that no PIN try is
// ever spent here; the next visit of this kind of card then begins with the next
// recipe.
func (s *signer) tryRecipes(scheme scheme, hash crypto.Hash, a attempt) ([]byte, error) {
	c := s.card
	recipes, err := c.recipes(scheme, s.key, hash)
	if err != nil {
		return nil, fmt.Errorf("cannot sign: %w", err)
	}
	wrong := 0
	var first error
	class := c.remembered[scheme.name].Class
	for i, r := range recipes {
		if c.learning && (c.channel.sent > maxAPDUs-maxAttempt || time.Now().After(c.lessonEnds)) {
			return nil, fmt.Errorf("cannot sign: %w after %d ways of signing; the first: %v", ErrLearnBound, i, first)
		}
		if r.Class == 0 {
			r.Class = class
		}
		data, err := a.data(r)
		if err != nil {
			return nil, fmt.Errorf("cannot sign: %w", err)
		}
		answer, err := s.signInClass(&r, data, a.size)
		class = r.Class
		var signature []byte
		if err == nil {
			if signature, err = a.check(answer); err == nil {
				c.proven, c.worked = true, scheme.name+": "+r.String()
				c.workedRecipe = r
				c.setRecipe(scheme, r)
				return signature, nil
			}
			wrong++
			err = fmt.Errorf("the card's signature of %d bytes is wrong: %w", len(answer), err)
			if len(c.memory) > 0 || c.layout != nil { // the remembered key may be another one
				c.forgetCard()
				return nil, fmt.Errorf("cannot sign: %w", err)
			}
		} else if !isStatus(err) {
			return nil, fmt.Errorf("cannot sign: %w", err)
		}
		c.trace(scheme, r, err)
		if first == nil {
			first = err
		}
		c.forgetCard()
		verified, unverified := s.stillVerified(err)
		if unverified != nil {
			return nil, fmt.Errorf("cannot sign: %w", unverified)
		}
		if !verified {
			c.setRecipe(scheme, recipes[(i+1)%len(recipes)])
			c.rememberRecipes()
			return nil, fmt.Errorf("cannot sign: %w: %w", ErrNextRecipe, err)
		}
		if wrong >= maxWrong && !c.learning {
			break
		}
	}
	return nil, fmt.Errorf("cannot sign: none of %d recipes works: %w", len(recipes), first)
}

// stillVerified reports whether the card still counts the PIN as verified after
// a failed attempt. It asks the card only if the card has answered this question
// before.
func (s *signer) stillVerified(failure error) (bool, error) {
	var sw apdu.Status
	if errors.As(failure, &sw) && (sw == apdu.SecurityStatus || sw == apdu.AuthBlocked) {
		return false, nil
	}
	pin, err := s.card.pinFor(s.ctx, s.key)
	if err != nil || !s.card.tellsTries {
		return true, nil
	}
	sw, err = s.card.askTries(s.ctx, pin)
	if err != nil {
		return false, err
	}
	_, wrong := sw.Tries()
	return !wrong && sw != apdu.AuthBlocked && sw != 0x6300, nil
}

// derOfRaw converts the concatenation of R and S to an Ecdsa-Sig-Value (RFC
// 3279 §2.2.3). It returns nil when the length is wrong.
func derOfRaw(raw []byte, field int) []byte {
	if len(raw) != 2*field {
		return nil
	}
	var value []byte
	for _, n := range [][]byte{raw[:field], raw[field:]} {
		for len(n) > 1 && n[0] == 0 {
			n = n[1:]
		}
		if n[0]&0x80 != 0 {
			n = append([]byte{0}, n...)
		}
		value = tlv.Append(value, tagInteger, n...)
	}
	return tlv.Append(nil, tagSequence, value...)
}

// sign carries out a recipe: it selects the key's file if the recipe says so,
// MANAGE SECURITY ENVIRONMENT selects the key, and PERFORM SECURITY OPERATION:
// COMPUTE DIGITAL SIGNATURE or INTERNAL AUTHENTICATE sends the data (ISO 7816-8
// §11.2, §11.3, §11.7, ISO 7816-4 §11.6.1). DECIPHER sends a padded block in two
// halves, each after the padding indicator of MyEID.
func (s *signer) sign(r recipe, data []byte, size int) ([]byte, error) {
	c := s.card
	pin, err := c.pinFor(s.ctx, s.key)
	guarded := err == nil
	if n := s.key.UserConsent; guarded && n > 0 && c.uses[string(pin.ID)] >= n {
		return nil, ErrConsent
	}
	if r.Form == recipeGeneral {
		return s.counted(pin, guarded, func() ([]byte, error) { return s.generalAuthenticate(r, data, size) })
	}
	template, cmd := byte(0xB6), apdu.Command{INS: insPSO, P1: 0x9E, P2: 0x9A}
	if r.Form == recipeInternal {
		template, cmd = 0xA4, apdu.Command{INS: insInternalAuth}
	}
	if r.Form == recipeDecipher {
		template, cmd = 0xB8, apdu.Command{INS: insPSO, P1: 0x80, P2: 0x86}
	}
	if r.KeyBy == bySelection {
		if _, err := c.selectFile(s.ctx, s.key.Path); err != nil {
			return nil, fmt.Errorf("cannot select the key's file: %w", err)
		}
	}
	if _, err := c.channel.demand(s.ctx, apdu.Command{CLA: r.Class, INS: insMSE, P1: 0x41, P2: template, Data: s.key.environment(r)}); err != nil {
		return nil, fmt.Errorf("cannot select key: %w", err)
	}
	cmd.CLA, cmd.Data, cmd.Le = r.Class, data, size
	if r.Form == recipeHashFirst {
		hash := apdu.Command{CLA: r.Class, INS: insPSO, P1: 0x90, P2: 0xA0, Data: tlv.Append(nil, 0x90, data...)}
		if _, err := c.channel.demand(s.ctx, hash); err != nil {
			return nil, fmt.Errorf("cannot send hash: %w", err)
		}
		cmd.Data = nil
		if s.field > 0 {
			cmd.Le = 2 * s.field
		}
	}
	if r.Form == recipeDecipher {
		first := cmd
		first.Data, first.Le = append([]byte{0x81}, data[:len(data)/2]...), 0
		if _, err := c.channel.demand(s.ctx, first); err != nil {
			return nil, fmt.Errorf("cannot send the first half: %w", err)
		}
		cmd.Data = append([]byte{0x82}, data[len(data)/2:]...)
	}
	return s.counted(pin, guarded, func() ([]byte, error) { return c.channel.demand(s.ctx, cmd) })
}

// otherClasses are classes in which Learn sends the signing commands when the card does
// not know them in another one.
var otherClasses = []byte{0x00, 0xA0, 0x80}

// signInClass is sign. If the card does not know the recipe's class, it tries others and
// sets the recipe's class to the one that the card knows.
func (s *signer) signInClass(r *recipe, data []byte, size int) ([]byte, error) {
	answer, err := s.sign(*r, data, size)
	classes := s.card.class // in which the card has accepted the PIN
	if s.card.learning {
		classes = slices.Concat(classes, otherClasses)
	}
	for i, class := range classes {
		if !errors.Is(err, apdu.CLAUnsupported) {
			break
		}
		if class == r.Class || slices.Contains(classes[:i], class) {
			continue
		}
		other := *r
		other.Class = class
		if answer, err = s.sign(other, data, size); !errors.Is(err, apdu.CLAUnsupported) {
			*r = other
		}
	}
	return answer, err
}

// counted counts a signature by a key that a PIN guards, unless the card refuses it.
func (s *signer) counted(pin PIN, guarded bool, sign func() ([]byte, error)) ([]byte, error) {
	if guarded {
		s.card.uses[string(pin.ID)]++
	}
	answer, err := sign()
	if isStatus(err) && guarded {
		s.card.uses[string(pin.ID)]--
	}
	return answer, err
}

// SignRandom signs a random digest, to find out whether the card signs with a certificate's
// key. The PIN must have been verified.
func (c *Card) SignRandom(ctx context.Context, cert Certificate) error {
	signer, err := c.Signer(ctx, cert)
	if err != nil {
		return err
	}
	hash := crypto.SHA256
	if public, ok := signer.Public().(*ecdsa.PublicKey); ok && public.Params().BitSize > 256 {
		hash = crypto.SHA384
	}
	digest := make([]byte, hash.Size())
	rand.Read(digest)
	_, err = signer.Sign(rand.Reader, digest, hash)
	return err
}
