package disk

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
)

// ErrDamaged means that a small file is not what was written.
var ErrDamaged = errors.New("the file is not what was written")

// sumPrefix begins the last line of a file that ReplaceSummed wrote.
const sumPrefix = "sha256:"

// ReplaceSummed is Replace with a checksum in a line behind the content, which is
// text.
func ReplaceSummed(path string, content []byte) error {
	content = append(bytes.TrimRight(content, "\n"), '\n')
	return Replace(path, append(content, sumLine(content)...))
}

func sumLine(content []byte) string {
	sum := sha256.Sum256(content)
	return sumPrefix + hex.EncodeToString(sum[:]) + "\n"
}

// ReadSummed reads what ReplaceSummed wrote, without the checksum. Errors:
// fs.ErrNotExist, ErrDamaged.
func ReadSummed(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	at := bytes.LastIndex(text, []byte(sumPrefix))
	if at < 0 || string(text[at:]) != sumLine(text[:at]) {
		return nil, fmt.Errorf("%s: %w", path, ErrDamaged)
	}
	return text[:at], nil
}
