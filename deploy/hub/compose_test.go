package hub

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/oasdiff/yaml"

	"smartkiosk/kiosk/hub"
)

type composeService struct {
	Image      string   `json:"image"`
	Command    []string `json:"command"`
	WorkingDir string   `json:"working_dir"`
	Volumes    []string `json:"volumes"`
	Ports      []string `json:"ports"`
	DependsOn  []string `json:"depends_on"`
}

// The compose file runs the nodes that its own instructions prepare. Docker itself is not
// tested.
func TestCompose(t *testing.T) {
	text, err := os.ReadFile("compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]composeService `json:"services"`
	}
	asJSON, err := yaml.YAMLToJSON(text)
	if err == nil {
		err = json.Unmarshal(asJSON, &file)
	}
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(text), "kioskhub cluster init --dir hub ")
	line, _, _ = strings.Cut(line, "\n")
	dir := filepath.Join(t.TempDir(), "hub")
	if err := hub.Init(dir, hub.InitOptions{Listen: "0.0.0.0:8443", URL: "https://127.0.0.1:8443"}); err != nil {
		t.Fatal(err)
	}
	var nodes []hub.Node
	for _, text := range strings.Fields(line) {
		n, err := hub.ParseNode(text)
		if err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, n)
	}
	made, err := hub.ClusterInit(dir, nodes)
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range nodes {
		s, ok := file.Services[n.Host] // the name of a service is its host name
		if !ok {
			t.Errorf("no service %s", n.Host)
			continue
		}
		folder, err := filepath.Rel(filepath.Dir(dir), made.Folders[i])
		if err != nil || !slices.Contains(s.Volumes, "./"+folder+":"+s.WorkingDir) {
			t.Errorf("%s has the volumes %q, %v", n.Host, s.Volumes, err)
		}
		if _, err := os.Stat(filepath.Join(made.Folders[i], s.Command[1])); err != nil {
			t.Error(err)
		}
	}
	hubs := 0
	for name, s := range file.Services {
		if !strings.HasPrefix(name, "hub") {
			continue
		}
		hubs++
		if !slices.Contains(s.Volumes, "./hub:"+s.Command[3]) || len(s.Ports) != 1 || !strings.HasPrefix(s.Ports[0], "127.0.0.1:") || len(s.DependsOn) != len(nodes) {
			t.Errorf("%s is %+v", name, s)
		}
	}
	if hubs != 2 {
		t.Errorf("%d hubs, want 2", hubs)
	}
}

// systemd reads the units of a node.
func TestNodeUnits(t *testing.T) {
	dir := t.TempDir()
	for from, to := range map[string]string{
		"nats-server.service":                   "nats-server.service",
		"kioskhub-node.conf":                    "kioskhub.service.d/node.conf",
		"../packages/kioskhub/kioskhub.service": "kioskhub.service",
	} {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		// The programs are not installed here.
		text = []byte(strings.NewReplacer("/usr/bin/nats-server", "/bin/true", "/usr/bin/kioskhub", "/bin/true").Replace(string(text)))
		path := filepath.Join(dir, to)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	verify := exec.Command("systemd-analyze", "verify", "--recursive-errors=no", "--man=no", filepath.Join(dir, "kioskhub.service"), filepath.Join(dir, "nats-server.service"))
	out, _ := verify.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, dir) || strings.Contains(line, "kioskhub") || strings.Contains(line, "nats-server") {
			t.Errorf("systemd-analyze: %s", line)
		}
	}
}
