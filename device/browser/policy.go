package browser

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
)

// PolicyFile is where Debian's Chromium reads the managed policy. Only root may write it.
const PolicyFile = "/etc/chromium/policies/managed/smartkiosk.json"

// Policy returns Chromium's managed policy for a kiosk: panel is the URL of its page,
// origins are those of logins, certificate is that of the card service's CA
// (device/scproxy), PEM, or nil without that service. The names are those of Chromium's list of enterprise policies.
//
// DeveloperToolsAvailability and RemoteDebuggingAllowed are not set, because Run controls
// Chromium by the DevTools protocol. The developer tools themselves are at devtools://,
// which is blocked.
func Policy(panel string, origins []string, certificate []byte) ([]byte, error) {
	cas := []any{}
	if certificate != nil {
		block, _ := pem.Decode(certificate)
		if block == nil {
			return nil, errors.New("cannot make Chromium's policy: the card service's certificate is not PEM")
		}
		// Chromium accepts a CA, and no self-signed certificate of a server.
		if ca, err := x509.ParseCertificate(block.Bytes); err != nil || !ca.IsCA {
			return nil, errors.New("cannot make Chromium's policy: the card service has an old certificate: delete scproxy.pem and start kioskd again")
		}
		cas = append(cas, map[string]any{
			"certificate": base64.StdEncoding.EncodeToString(block.Bytes),
			"constraints": map[string]any{"permitted_dns_names": []string{"localhost"}, "permitted_cidrs": []string{"127.0.0.1/32"}},
		})
	}
	origins = append([]string{}, origins...) // not null
	for _, o := range origins {
		if err := CheckOrigin(o); err != nil {
			return nil, fmt.Errorf("cannot make Chromium's policy: %w", err)
		}
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(map[string]any{
		"URLBlocklist": []string{"*", "chrome://*", "devtools://*", "view-source:*", "file://*", "data:*", "javascript:*"},
		"URLAllowlist": append([]string{originOf(panel), "about:blank"}, origins...),

		"DownloadRestrictions":               3,
		"PrintingEnabled":                    false,
		"AllowFileSelectionDialogs":          false,
		"DefaultPopupsSetting":               2,
		"DefaultGeolocationSetting":          2,
		"DefaultNotificationsSetting":        2,
		"DefaultWebUsbGuardSetting":          2,
		"DefaultSerialGuardSetting":          2,
		"DefaultWebHidGuardSetting":          2,
		"DefaultWebBluetoothGuardSetting":    2,
		"DefaultFileSystemReadGuardSetting":  2,
		"DefaultFileSystemWriteGuardSetting": 2,
		"AudioCaptureAllowed":                false,
		"VideoCaptureAllowed":                false,
		"ScreenCaptureAllowed":               false,
		"ExtensionInstallBlocklist":          []string{"*"},
		"IncognitoModeAvailability":          1,
		"BrowserAddPersonEnabled":            false,
		"BrowserGuestModeEnabled":            false,
		"BrowserSignin":                      0,
		"SyncDisabled":                       true,
		"PasswordManagerEnabled":             false,
		"AutofillAddressEnabled":             false,
		"AutofillCreditCardEnabled":          false,
		"TranslateEnabled":                   false,
		"SearchSuggestEnabled":               false,
		"MetricsReportingEnabled":            false,
		"BackgroundModeEnabled":              false,
		"AllowDinosaurEasterEgg":             false,
		"NetworkPredictionOptions":           2,
		"QuicAllowed":                        false,

		// A login page reaches the card service on this machine without a question. Any
		// other page fails at once, also without one.
		"LoopbackNetworkAllowedForUrls": origins,
		"LoopbackNetworkBlockedForUrls": []string{"*"},
		"LocalNetworkBlockedForUrls":    []string{"*"},
		"CACertificatesWithConstraints": cas,
	})
	return out.Bytes(), err
}

// CheckPolicy returns an error unless the policy is installed.
func CheckPolicy(want []byte) error {
	text, err := os.ReadFile(PolicyFile)
	if err != nil {
		return fmt.Errorf("cannot read Chromium's policy: %w: install it with \"kioskctl browser-policy\"", err)
	}
	if !bytes.Equal(text, want) {
		return fmt.Errorf("%s is not the policy of this configuration: install it again with \"kioskctl browser-policy\"", PolicyFile)
	}
	return nil
}
