package apicall

import (
	"bytes"
	"io"
	"net/http"
)

// Body reads an answer's body, up to limit bytes, and puts it back for the next reader.
func Body(resp *http.Response, limit int64) []byte {
	read, err := io.ReadAll(io.LimitReader(resp.Body, limit))
	resp.Body = &again{Reader: io.MultiReader(newReader(read, err), resp.Body), Closer: resp.Body}
	return read
}

// again is a body of which a part was read already.
type again struct {
	io.Reader
	io.Closer
}

// newReader reads b and then fails with err, if there is one.
func newReader(b []byte, err error) io.Reader {
	if err == nil {
		return bytes.NewReader(b)
	}
	return io.MultiReader(bytes.NewReader(b), failing{err})
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
