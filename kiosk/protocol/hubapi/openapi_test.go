package hubapi

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"smartkiosk/kiosk"
)

func load(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(Document)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestDocumentIsOpenAPI31(t *testing.T) {
	doc := load(t)
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") {
		t.Errorf("openapi: %s", doc.OpenAPI)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
}

// The enumeration of reasons has every reason that a hub can give, and no other.
func TestEveryReasonOfAHub(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../../kiosk.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, d := range file.Decls {
		group, ok := d.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST || !strings.HasPrefix(group.Doc.Text(), "Reasons ") || strings.HasPrefix(group.Doc.Text(), "Reasons that arise in the visit itself") {
			continue
		}
		for _, s := range group.Specs {
			reason, err := strconv.Unquote(s.(*ast.ValueSpec).Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, reason)
		}
	}
	for _, v := range load(t).Components.Schemas["Reason"].Value.Enum {
		got = append(got, v.(string))
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) || len(want) < 20 {
		t.Errorf("openapi.yaml has the reasons %v, the code %v", got, want)
	}
}

// Each Go type has exactly the members of its schema.
func TestTypesHaveTheSchemasMembers(t *testing.T) {
	schemas := load(t).Components.Schemas
	for name, v := range map[string]any{
		"Challenge":             Challenge{},
		"AuthenticationRequest": AuthenticationRequest{},
		"Authentication":        Authentication{},
		"Holder":                kiosk.Holder{},
		"LoginRequest":          LoginRequest{},
		"LoginAnswer":           LoginAnswer{},
		"Login":                 Login{},
		"DigitsEntry":           DigitsEntry{},
		"DocumentsRequest":      DocumentsRequest{},
		"Documents":             Documents{},
		"WaitingDocument":       WaitingDocument{},
		"ContentRequest":        ContentRequest{},
		"SignatureRequest":      SignatureRequest{},
		"SignatureAnswer":       SignatureAnswer{},
		"Acknowledgement":       Acknowledgement{},
		"FeedAcknowledgement":   FeedAcknowledgement{},
		"Known":                 Known{},
		"DoctorAnswer":          DoctorAnswer{},
		"Health":                Health{},
		"Problem":               Problem{},
	} {
		want := slices.Sorted(maps.Keys(schemas[name].Value.Properties))
		var got []string
		for f := range reflect.TypeOf(v).Fields() {
			if member, _, _ := strings.Cut(f.Tag.Get("json"), ","); f.IsExported() && member != "-" {
				got = append(got, member)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: the type has %v, the schema %v", name, got, want)
		}
	}
}

// The code and the document have the same rule for names.
func TestNameRuleIsTheSchemas(t *testing.T) {
	pattern := regexp.MustCompile(load(t).Components.Schemas["Name"].Value.Pattern)
	long := strings.Repeat("a", 62)
	for _, name := range []string{"", "a", "-", "--", "ab", "a-", "-a", "a-b", "a--b", long + "b", long + "bc", long + "-", "-" + long, "a.b", "a b", "A", "å", "a\n", "09", "a_b", "a/b"} {
		if got, want := ValidName(name), pattern.MatchString(name); got != want {
			t.Errorf("%q: valid is %v in the code, %v in the schema", name, got, want)
		}
	}
}

// The code and the document have the same limits.
func TestBoundsAreTheDocuments(t *testing.T) {
	paths := load(t).Paths
	parameter := paths.Value("/v1/feed/{consumer}").Get.Parameters.GetByInAndName
	check := func(what string, got *float64, want float64) {
		if got == nil || *got != want {
			t.Errorf("%s is not %v in the document", what, want)
		}
	}
	check("max's maximum", parameter("query", "max").Schema.Value.Max, MaxEvents)
	check("wait's maximum", parameter("query", "wait").Schema.Value.Max, MaxWait.Seconds())
	if got := parameter("query", "max").Schema.Value.Default; got != float64(DefaultFeedBatch) {
		t.Errorf("max's default is %v in the document, %d in the code", got, DefaultFeedBatch)
	}
	batch := paths.Value("/v1/events").Post.RequestBody.Value.Content[MediaEvents].Schema.Value
	if batch.MaxItems == nil || *batch.MaxItems != MaxEvents {
		t.Error("maxItems of a batch is not MaxEvents")
	}
}

func TestGoldenBodies(t *testing.T) {
	for want, v := range map[string]any{
		`{"verdict":"granted","holder":{"id":"UN:NO-9578-4050-100001","name":"Kari Prøve","domain":"buypass-test"},"valid_for":30}`: Authentication{
			Verdict: VerdictGranted, Holder: kiosk.Holder{ID: "UN:NO-9578-4050-100001", Name: "Kari Prøve", Domain: "buypass-test"}, ValidFor: 30},
		`{"verdict":"denied","reason":"nonce-used"}`:                 Authentication{Verdict: VerdictDenied, Reason: kiosk.NonceUsed},
		`{"visit":"v","nonce":"n","token":{"format":"web-eid:1.0"}}`: AuthenticationRequest{Visit: "v", Nonce: "n", Token: json.RawMessage(`{"format":"web-eid:1.0"}`)},
		`{"acknowledged":0}`: Acknowledgement{},
	} {
		if got := asJSON(t, v); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
