// What golang.org/x/mod/sumdb makes of our notes and proofs: questions as JSON lines on standard input,
// one line an answer: "ok", "ok" and what was computed, or "no" and why.
package main

import (
	"bufio"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type question struct {
	Kind             string
	Note             string
	Vkeys            []string
	Want             int // signatures of these keys on the note
	Entries          []string
	Leaf, Root, Old  []byte
	Index, Size, At  int64 // At: the size of the older tree
	Proof            [][]byte
	Level, N, Width  int64
}

// cosigner verifies c2sp.org/tlog-cosignature, type 0x04, which the package does not know.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.hash }
func (c *cosigner) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	head := fmt.Sprintf("cosignature/v1\ntime %d\n", binary.BigEndian.Uint64(sig))
	return ed25519.Verify(c.key, append([]byte(head), msg...), sig[8:])
}

func verifier(vkey string) (note.Verifier, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("malformed vkey")
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(key) != 33 || key[0] != 4 {
		return note.NewVerifier(vkey)
	}
	hash, err := strconv.ParseUint(parts[1], 16, 32)
	id := sha256.Sum256(append([]byte(parts[0]+"\n"), key...))
	if err != nil || uint32(hash) != binary.BigEndian.Uint32(id[:]) {
		return nil, errors.New("key id does not match")
	}
	return &cosigner{parts[0], uint32(hash), key[1:]}, nil
}

func open(q question) (string, error) {
	var known []note.Verifier
	for _, vkey := range q.Vkeys {
		v, err := verifier(vkey)
		if err != nil {
			return "", err
		}
		known = append(known, v)
	}
	n, err := note.Open([]byte(q.Note), note.VerifierList(known...))
	if err != nil {
		return "", err
	}
	if len(n.Sigs) != q.Want {
		return "", fmt.Errorf("%d signatures", len(n.Sigs))
	}
	return n.Text, nil
}

func hashes(list [][]byte) []tlog.Hash {
	out := make([]tlog.Hash, len(list))
	for i := range list {
		copy(out[i][:], list[i])
	}
	return out
}

func hash(bytes []byte) (h tlog.Hash) { copy(h[:], bytes); return }

// prove builds the log of q.Entries and makes its proofs.
func prove(q question) (any, error) {
	var stored []tlog.Hash
	read := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(at))
		for i, n := range at {
			out[i] = stored[n]
		}
		return out, nil
	})
	for i, entry := range q.Entries {
		more, err := tlog.StoredHashes(int64(i), []byte(entry), read)
		if err != nil {
			return nil, err
		}
		stored = append(stored, more...)
	}
	root, err := tlog.TreeHash(q.Size, read)
	if err != nil {
		return nil, err
	}
	record, err := tlog.ProveRecord(q.Size, q.Index, read)
	if err != nil {
		return nil, err
	}
	tree, err := tlog.ProveTree(q.Size, q.At, read)
	return map[string]any{"root": root[:], "inclusion": record, "consistency": tree}, err
}

func answer(q question) (any, error) {
	switch q.Kind {
	case "note":
		return open(q)
	case "inclusion":
		return nil, tlog.CheckRecord(hashes(q.Proof), q.Size, hash(q.Root), q.Index, hash(q.Leaf))
	case "consistency":
		return nil, tlog.CheckTree(hashes(q.Proof), q.Size, hash(q.Root), q.At, hash(q.Old))
	case "prove":
		return prove(q)
	case "tile":
		// Its own paths name the height first: tile/8/…
		path := tlog.Tile{H: 8, L: int(q.Level), N: q.N, W: int(q.Width)}.Path()
		return "tile/" + strings.TrimPrefix(path, "tile/8/"), nil
	}
	return nil, errors.New("unknown question")
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<26)
	for in.Scan() {
		var q question
		value, err := any(nil), json.Unmarshal(in.Bytes(), &q)
		if err == nil {
			value, err = answer(q)
		}
		said := map[string]any{"ok": err == nil, "value": value}
		if err != nil {
			said = map[string]any{"ok": false, "why": err.Error()}
		}
		line, _ := json.Marshal(said)
		fmt.Println(string(line))
	}
}
