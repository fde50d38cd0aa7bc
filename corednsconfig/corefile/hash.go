package corefile

import (
	"crypto/md5" //nolint:gosec // CoreDNS before 1.9.1 reports it
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"

	"github.com/coredns/caddy/caddyfile"
)

// Hash is what CoreDNS of version v reports for this content as coredns_reload_version_info{hash=algorithm,value=sum} and
// logs as "Running configuration". It is a digest of the parsed blocks with the line number of every word, the absolute
// path of every imported file, and the values of variables; an error says that imports or variables were not known to
// Parse. A comment changes it only if it moves lines.
//
// CoreDNS before 1.7.0 has the log line only. The metric is absent until the first reload, and after a failed one it shows what was refused: a match alone is no success.
func (f *File) Hash(v Version) (algorithm, sum string, err error) {
	if !f.known {
		return "", "", errors.New("the hash depends on imported files or variables that are not known")
	}
	blocks := make([]caddyfile.ServerBlock, len(f.servers))
	for i, s := range f.servers {
		blocks[i] = caddyfile.ServerBlock{Keys: s.keys, Tokens: map[string][]caddyfile.Token{}}
		for _, d := range s.directives {
			for _, t := range d.tokens {
				blocks[i].Tokens[d.name] = append(blocks[i].Tokens[d.name], caddyfile.Token{File: t.file, Line: t.line, Text: t.text})
			}
		}
	}
	if len(blocks) == 0 {
		blocks = nil // as CoreDNS's parser leaves it
	}
	data, err := json.Marshal(blocks)
	if err != nil {
		return "", "", err
	}
	if v.Known() && !v.AtLeast(Version{1, 9, 1}) {
		digest := md5.Sum(data) //nolint:gosec // as above
		return "md5", hex.EncodeToString(digest[:]), nil
	}
	digest := sha512.Sum512(data)
	return "sha512", hex.EncodeToString(digest[:]), nil
}
