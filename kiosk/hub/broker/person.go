package broker

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/trust"
)

// Person is who logged in, and how.
type Person struct {
	Holder      kiosk.Holder
	Environment Environment
	ACR         string
	AMR         []string
}

// Format prints [person], because a log must not name anybody.
func (p Person) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[person]")) }

var (
	digits = regexp.MustCompile(`^[0-9]{1,32}$`)
	plain  = regexp.MustCompile(`^[!-~](?:[ -~]{0,126}[!-~])?$`)
)

// person maps claims to a holder. The identifier comes from the claim that the
// configuration names, or from the certificate's serialNumber. If there are both, they
// must name the same person. A name is only shown, and never identifies anybody.
func (c *Client) person(in *claims) (Person, error) {
	out := Person{Environment: c.config.Environment, ACR: in.ACR, AMR: in.AMR}
	out.Holder.Domain = c.config.Domain
	out.Holder.Name = trust.PrintableName(in.name())

	claimed := ""
	if c.config.SubjectClaim != "" {
		claimed = in.text[c.config.SubjectClaim]
	}
	id, err := c.identifier(claimed)
	if err != nil {
		return Person{}, err
	}
	if text := in.text[c.config.CertificateClaim]; c.config.CertificateClaim != "" && text != "" {
		certified, err := c.certified(text)
		switch {
		case err != nil:
			return Person{}, err
		case id != "" && id != certified:
			return Person{}, refuse(kiosk.LoginSubject, "the certificate is another person's")
		}
		id = certified
	}
	if id == "" {
		return Person{}, refuse(kiosk.LoginSubject, "the answer has no claim that identifies the person")
	}
	out.Holder.ID = id
	return out, nil
}

// identifier returns the holder's identifier for the value of the claim, "" if there is
// none.
func (c *Client) identifier(value string) (string, error) {
	switch {
	case value == "":
		return "", nil
	case isNationalNumber(value):
		return "", refuse(kiosk.LoginSubject, "%s holds a national identity number", c.config.SubjectClaim)
	case c.config.SubjectForm == FormBuypass:
		if digits.MatchString(value) {
			value = "9578-4050-" + value
		}
		if id, ok := trust.BuypassID(value); ok {
			return id, nil
		}
		return "", refuse(kiosk.LoginSubject, "%s is not a Buypass number", c.config.SubjectClaim)
	case !plain.MatchString(value):
		return "", refuse(kiosk.LoginSubject, "%s is not 1 to 128 printable ASCII characters", c.config.SubjectClaim)
	}
	return c.config.Domain + ":" + value, nil
}

// certified returns the holder's identifier for a certificate, PEM or base64.
func (c *Client) certified(text string) (string, error) {
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if block, _ := pem.Decode([]byte(text)); block != nil {
		der, err = block.Bytes, nil
	}
	if err != nil {
		return "", refuse(kiosk.LoginSubject, "the certificate claim is neither PEM nor base64")
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return "", refuse(kiosk.LoginSubject, "the certificate claim does not hold a certificate")
	}
	if now := c.now(); now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
		return "", refuse(kiosk.LoginSubject, "the certificate is not valid now")
	}
	numbers := 0
	for _, a := range cert.Subject.Names {
		if a.Type.String() == "2.5.4.5" {
			numbers++
		}
	}
	if numbers != 1 {
		return "", refuse(kiosk.LoginSubject, "the certificate's subject has %d serialNumbers", numbers)
	}
	number := cert.Subject.SerialNumber
	if c.config.SubjectForm == FormPlain {
		return c.identifier(number)
	}
	id, ok := trust.BuypassID(number)
	if !ok {
		return "", refuse(kiosk.LoginSubject, "the certificate's serialNumber is not a Buypass number")
	}
	return id, nil
}

// name returns the person's name for the screen.
func (c *claims) name() string {
	if n := c.text["name"]; n != "" {
		return n
	}
	return strings.TrimSpace(c.text["given_name"] + " " + c.text["family_name"])
}

// isNationalNumber reports whether s is a valid Norwegian national identity number: a date
// of birth, five further digits, and two check digits (modulus 11) among them. The day is
// higher by 40 in numbers of people who are not residents, the month by 40, 65 or 80 in
// synthetic ones.
func isNationalNumber(s string) bool {
	if len(s) != 11 || !digits.MatchString(s) {
		return false
	}
	day, month := (int(s[0]-'0')*10+int(s[1]-'0'))%40, int(s[2]-'0')*10+int(s[3]-'0')
	inYear := func(offset int) bool { return month > offset && month <= offset+12 }
	if day < 1 || day > 31 || !slices.ContainsFunc([]int{0, 40, 65, 80}, inYear) {
		return false
	}
	sum := func(weights ...int) (n int) {
		for i, w := range weights {
			n += w * int(s[i]-'0')
		}
		return n % 11
	}
	return sum(3, 7, 6, 1, 8, 9, 4, 5, 2, 1) == 0 && sum(5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1) == 0
}
