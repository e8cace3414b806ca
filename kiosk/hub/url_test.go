package hub

import (
	"strings"
	"testing"
)

// Only the line of url changes in hub.toml.
func TestWithURLs(t *testing.T) {
	before := "# url = \"a comment\"\nlisten = \"a:1\"\nurl = \"https://a:1\" # mine\nearlier_urls = [\"https://z\"]\n[other]\nurl = \"x\"\n"
	for want, earlier := range map[string][]string{
		"# url = \"a comment\"\nlisten = \"a:1\"\nurl = \"https://b\"\n[other]\nurl = \"x\"\n":                                                                               nil,
		"# url = \"a comment\"\nlisten = \"a:1\"\nurl = \"https://b\"\nearlier_urls = [\"https://a:1\", \"https://z\"] # some kiosks still use them\n[other]\nurl = \"x\"\n": {"https://a:1", "https://z"},
	} {
		if got := string(withURLs([]byte(before), "https://b", earlier)); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	}
}

// A card that signs for an earlier URL is accepted, until that is forgotten.
func TestTokenForAnEarlierURL(t *testing.T) {
	dir := newFolder(t)
	const nonce = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	for _, forget := range []bool{false, true} {
		if _, err := SetURL(dir, "https://hub.example", forget); err != nil {
			t.Fatal(err)
		}
		cfg, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		_, err = cfg.Trust.Verify(token(t, "valid", nonce), nonce, cfg.Now())
		if (err != nil) != forget || err != nil && !strings.Contains(err.Error(), "signature") {
			t.Errorf("forget %v: %v", forget, err)
		}
	}
}
