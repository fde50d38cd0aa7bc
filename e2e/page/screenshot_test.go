package page_test

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/ipcontroller/page"
	"github.com/spokedns/spokedns/ipcontroller/page/pagetest"
)

// keyword names the text in the picture that says of which page it is.
const keyword = "spokedns-page"

var screenshots = flag.Bool("screenshots", false, "draw the pictures of the documentation anew: make screenshots")

// The picture in the documentation is of today's page: it carries a fingerprint of all the HTML it was drawn from.
// Whether another Chromium or other fonts would draw it a little differently is not asked.
func TestTheDocumentationShowsTodaysPage(t *testing.T) {
	path := filepath.Join(stack.Root(), "docs", "images", "ipcontroller.png")
	v := pagetest.Site(moment())
	var html bytes.Buffer
	if err := page.Render(&html, v); err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256(html.Bytes())
	want := hex.EncodeToString(hash[:])

	s := screen{width: 1200}
	p := startBrowser(t).open(t, serve(t, v), s)
	now := p.picture()
	if *screenshots {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, encode(t, now, want), 0o644); err != nil {
			t.Fatal(err)
		}
	}

	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: run `make screenshots`", err)
	}
	got, err := fingerprint(kept)
	if err != nil || got != want {
		t.Errorf("%s is of another page (%q, %v), want %q: run `make screenshots`", path, got, err, want)
	}
	then, err := png.Decode(bytes.NewReader(kept))
	if err != nil {
		t.Fatal(err)
	}
	if colours, dark := look(then); then.Bounds().Dx() != now.Bounds().Dx() || colours < 50 || dark {
		t.Errorf("%s: %s, %d colours, dark %t; the page is %s", path, then.Bounds(), colours, dark, now.Bounds())
	}
	const most = 200 << 10
	if len(kept) > most {
		t.Errorf("%s has %d bytes, want at most %d", path, len(kept), most)
	}
}

// encode writes a small PNG, of the colours there is most of, with a fingerprint in it.
func encode(t *testing.T, shot image.Image, hash string) []byte {
	t.Helper()
	count := map[color.Color]int{}
	bounds := shot.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			count[color.NRGBAModel.Convert(shot.At(x, y))]++
		}
	}
	palette := color.Palette(slices.SortedFunc(maps.Keys(count), func(a, b color.Color) int {
		return cmp.Or(count[b]-count[a], cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)))
	}))
	few := image.NewPaletted(bounds, palette[:min(len(palette), 256)])
	draw.Draw(few, bounds, shot, bounds.Min, draw.Src)
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, few); err != nil {
		t.Fatal(err)
	}
	return slices.Insert(b.Bytes(), afterHeader, chunk("tEXt", keyword+"\x00"+hash)...)
}

// afterHeader is where the first chunk after IHDR begins.
const afterHeader = 8 + 4 + 4 + 13 + 4

// chunk is one as PNG has them.
func chunk(kind, data string) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(data))) //nolint:gosec // a few bytes
	out = append(out, kind+data...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
}

// fingerprint reads what encode has written.
func fingerprint(file []byte) (string, error) {
	if len(file) < afterHeader {
		return "", errors.New("no PNG")
	}
	for rest := file[8:]; len(rest) >= 12; {
		n := int(binary.BigEndian.Uint32(rest))
		if n > len(rest)-12 {
			break
		}
		if kind, data := string(rest[4:8]), rest[8:8+n]; kind == "tEXt" {
			if key, hash, _ := bytes.Cut(data, []byte{0}); string(key) == keyword {
				return string(hash), nil
			}
		}
		rest = rest[12+n:]
	}
	return "", errors.New("no fingerprint")
}
