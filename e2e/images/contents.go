package images

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"golang.org/x/crypto/x509roots/fallback/bundle"

	"github.com/spokedns/spokedns/e2e/stack"
)

// authorities are the certificate authorities Mozilla trusts for the web, as a PEM file. Those it trusts for old
// certificates only are among them: such a file cannot say that, nor does any distribution's.
func authorities() []byte {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a buffer takes everything
	}
	return out.Bytes()
}

const authoritiesModule = "golang.org/x/crypto/x509roots/fallback"

// authoritiesVersion is what go.mod says beside this package: the linker tells tests nothing of their modules.
func authoritiesVersion() (string, error) {
	file := filepath.Join(stack.Root(), "e2e", "go.mod")
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == authoritiesModule {
			return words[1], nil
		}
	}
	return "", fmt.Errorf("%s does not require %s", file, authoritiesModule)
}

// components is the bill of materials of an image, CycloneDX 1.6 as JSON: the modules that the linker says are in the
// program, Go itself, and the certificate authorities.
func components(executable, program string, source Source) ([]byte, error) {
	info, err := buildinfo.ReadFile(executable)
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(executable)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(content)
	list := []cdx.Component{library("stdlib", strings.TrimPrefix(info.GoVersion, "go"), "")}
	for _, module := range info.Deps {
		list = append(list, fromModule(module))
	}
	pinned, err := authoritiesVersion()
	if err != nil {
		return nil, err
	}
	list = append(list, library(authoritiesModule, pinned, ""))
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{
		Timestamp: source.created(),
		Component: &cdx.Component{
			BOMRef: "spokedns-" + program, Type: cdx.ComponentTypeApplication, Name: "spokedns-" + program, Version: source.Version(),
			PackageURL: fmt.Sprintf("pkg:golang/%s@%s#%s", info.Main.Path, source.Version(), program),
			Hashes:     &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}},
			Licenses:   &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}},
		},
	}
	bom.Components = &list
	var out bytes.Buffer
	err = cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).SetPretty(true).Encode(bom)
	return out.Bytes(), err
}

// fromModule is a module as the linker had it: what replaces it, where something does.
func fromModule(m *debug.Module) cdx.Component {
	if m.Replace != nil {
		m = m.Replace
	}
	return library(m.Path, m.Version, m.Sum)
}

// library is a component; sum is a line of go.sum, "h1:" and a SHA-256 in base64.
func library(path, version, sum string) cdx.Component {
	url := "pkg:golang/" + path + "@" + version
	c := cdx.Component{BOMRef: url, Type: cdx.ComponentTypeLibrary, Name: path, Version: version, PackageURL: url}
	if raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(sum, "h1:")); err == nil && len(raw) == sha256.Size {
		c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(raw)}}
	}
	return c
}
