package scproxy

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// page stands in for a login page in a browser.
type page struct {
	t       testing.TB
	origin  string
	session string
	reader  string
	post    func(origin, path, body string) (status int, answer []byte)
}

// newPage returns a page that calls the service's handler.
func newPage(t testing.TB, s *Service, session string) page {
	return page{t, origin, session, readerName, func(origin, path, body string) (int, []byte) {
		r := httptest.NewRequest(http.MethodPost, "https://"+Address+path, strings.NewReader(body))
		r.Header.Set("Origin", origin)
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		return w.Code, w.Body.Bytes()
	}}
}

type reply struct {
	Version   string
	Readers   []readerStatus
	Ref       uint32
	Data      string
	Responses []apduResponse `json:"apduresponses"`
	Code      *int           `json:"errorcode"`
	Detail    *int           `json:"errordetail"`
}

// call posts a request that must be answered with 200 and JSON.
func (p page) call(path, body string) (r reply) {
	p.t.Helper()
	status, answer := p.post(p.origin, path, body)
	if status != http.StatusOK {
		p.t.Fatalf("%s: %d %s", path, status, answer)
	}
	if err := json.Unmarshal(answer, &r); err != nil {
		p.t.Fatalf("%s: %s: %v", path, answer, err)
	}
	return r
}

func (p page) body(apdus ...string) string {
	var list []string
	for _, a := range apdus {
		list = append(list, fmt.Sprintf(`{"apdu":"%s"}`, strings.ReplaceAll(a, " ", "")))
	}
	return fmt.Sprintf(`{"timeout":10,"session":"%s","apducommands":[%s]}`, p.session, strings.Join(list, ","))
}

func apduPath(reader string) string { return "/scard/apdu/" + url.PathEscape(reader) }

// transmit sends commands to the card and returns its responses in hexadecimal.
func (p page) transmit(apdus ...string) (responses []string, detail int) {
	p.t.Helper()
	r := p.call(apduPath(p.reader), p.body(apdus...))
	for _, response := range r.Responses {
		responses = append(responses, response.APDU)
	}
	if r.Code == nil || *r.Code != 0 || r.Detail == nil {
		p.t.Fatalf("errorcode %v, errordetail %v", r.Code, r.Detail)
	}
	return responses, *r.Detail
}

// verify returns the packet of VERIFY with a PIN that the holder typed into the page.
func (p page) verify(pin string) string {
	p.t.Helper()
	return p.packet("A020008208", pin, strings.Repeat("FF", 8-len(pin)))
}

// packet returns a PIN packet with a new ref.
func (p page) packet(cmd, pin, rest string) string {
	p.t.Helper()
	r := p.call("/scard/getref/", "")
	data := unhex(p.t, r.Data)
	scrambled := []byte(pin)
	for i := range scrambled {
		scrambled[i] ^= data[i] ^ data[i+len(pin)]
	}
	return fmt.Sprintf("FFFF0104 %08X %02X %02X %s %X %s", r.Ref, len(cmd)/2, len(pin), cmd, scrambled, rest)
}

// login reads the beginning of the certificate, verifies the PIN and signs a hash.
func login(t testing.TB, p page) {
	t.Helper()
	responses, detail := p.transmit("00A40000023F00", "00A4080004 50154501", "00B0000004")
	if len(responses) != 3 || detail != 0 || responses[0] != "9000" || !strings.HasPrefix(responses[1], "6f") ||
		!strings.HasSuffix(responses[1], "9000") || !strings.HasPrefix(responses[2], "3082") {
		t.Fatalf("read: %v, %d", responses, detail)
	}
	info := "3031300d060960864801650304020105000420" + strings.Repeat("ab", 32)
	responses, _ = p.transmit(p.verify("1234"), "002241B6 06 800102 840101", "002A9E9A33"+info+"00") // with Le, which T=0 does not have
	if len(responses) != 3 || responses[0] != "9000" || responses[1] != "9000" || len(responses[2]) != 2*(256+2) {
		t.Fatalf("sign: %v", responses)
	}
}
