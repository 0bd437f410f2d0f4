// Verify checks a log directory with other people's code: x/mod's note and tlog, and Go's
// Ed25519 and ML-DSA. It shares nothing with convenio but the specifications.
//
//	verify LOGDIR --log VKEY... [--mirror VKEY...] [--author VKEY...] [--record FILE] [--proof FILE]
//
// Every given log and mirror key must have signed LOGDIR/checkpoint. All tiles and bundles of the
// checkpoint's tree are recomputed from the entries and compared. With --author, every entry must be
// a note that one of these keys signed. With --record, the file's bytes must be an entry. With
// --proof, the .tlog-proof must show that record under a checkpoint signed by the same keys.
// One JSON object is printed; anything wrong is a message on stderr and exit status 1.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/mldsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "verify:", err)
		os.Exit(1)
	}
}

type options struct {
	dir                   string
	logs, mirrors, author []string
	record, proof         string
}

func parseOptions(args []string) (o options, err error) {
	for i := 0; i < len(args); i++ {
		if !strings.HasPrefix(args[i], "--") {
			if o.dir != "" {
				return o, fmt.Errorf("two log directories: %s, %s", o.dir, args[i])
			}
			o.dir = args[i]
			continue
		}
		name := args[i]
		for i+1 < len(args) && !strings.HasPrefix(args[i+1], "--") {
			i++
			switch name {
			case "--log":
				o.logs = append(o.logs, args[i])
			case "--mirror":
				o.mirrors = append(o.mirrors, args[i])
			case "--author":
				o.author = append(o.author, args[i])
			case "--record":
				o.record = args[i]
			case "--proof":
				o.proof = args[i]
			default:
				return o, fmt.Errorf("unknown option %s", name)
			}
		}
	}
	if o.dir == "" || len(o.logs) == 0 {
		return o, fmt.Errorf("usage: verify LOGDIR --log VKEY...")
	}
	return o, nil
}

func run(args []string) error {
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	signed, err := os.ReadFile(filepath.Join(o.dir, "checkpoint"))
	if err != nil {
		return err
	}
	origin, tree, err := openCheckpoint(signed, append(o.logs, o.mirrors...))
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	entries, err := readEntries(o.dir, tree.N)
	if err != nil {
		return err
	}
	if err := checkTiles(o.dir, tree, entries); err != nil {
		return err
	}
	proven, err := checkInclusion(o.dir, tree, entries)
	if err != nil {
		return err
	}
	opened, err := openEntries(entries, o.author)
	if err != nil {
		return err
	}
	result := map[string]any{
		"origin": origin, "size": tree.N, "root": hex.EncodeToString(tree.Hash[:]),
		"keys": len(o.logs) + len(o.mirrors), "proven": proven, "opened": opened,
	}
	if o.record != "" {
		if result["record"], err = checkRecord(o, origin, entries); err != nil {
			return err
		}
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

// openCheckpoint opens a signed checkpoint; every one of vkeys must have signed it.
func openCheckpoint(signed []byte, vkeys []string) (string, tlog.Tree, error) {
	var known []note.Verifier
	for _, vkey := range vkeys {
		v, err := newVerifier(vkey)
		if err != nil {
			return "", tlog.Tree{}, err
		}
		known = append(known, v)
	}
	n, err := note.Open(signed, note.VerifierList(known...))
	if err != nil {
		return "", tlog.Tree{}, err
	}
	if len(n.Sigs) != len(known) {
		return "", tlog.Tree{}, fmt.Errorf("%d of %d keys have signed", len(n.Sigs), len(known))
	}
	return parseCheckpoint(n.Text)
}

func parseCheckpoint(text string) (origin string, tree tlog.Tree, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return "", tree, fmt.Errorf("not three lines")
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return "", tree, err
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return lines[0], tree, err
}

// cosigner verifies cosignatures of type 0x04 and 0x06.
type cosigner struct {
	name   string
	hash   uint32
	verify func(text []byte, time uint64, sig []byte) bool
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.hash }
func (c *cosigner) Verify(text, sig []byte) bool {
	return len(sig) > 8 && c.verify(text, binary.BigEndian.Uint64(sig), sig[8:])
}

func newVerifier(vkey string) (note.Verifier, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, fmt.Errorf("bad vkey %s", vkey)
	}
	key, err := base64.StdEncoding.Strict().DecodeString(parts[2])
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), key...))
	if hex.EncodeToString(sum[:4]) != parts[1] {
		return nil, fmt.Errorf("key id of %s is not its key's", parts[0])
	}
	c := &cosigner{name: parts[0], hash: binary.BigEndian.Uint32(sum[:4])}
	switch key[0] {
	case 1:
		return note.NewVerifier(vkey)
	case 4:
		c.verify = func(text []byte, time uint64, sig []byte) bool {
			msg := append([]byte(fmt.Sprintf("cosignature/v1\ntime %d\n", time)), text...)
			return ed25519.Verify(key[1:], msg, sig)
		}
	case 6:
		public, err := mldsa.NewPublicKey(mldsa.MLDSA44(), key[1:])
		if err != nil {
			return nil, err
		}
		c.verify = func(text []byte, time uint64, sig []byte) bool {
			msg, err := subtreeMessage(c.name, string(text), time)
			return err == nil && mldsa.Verify(public, msg, sig, nil) == nil
		}
	default:
		return nil, fmt.Errorf("signature type %d", key[0])
	}
	return c, nil
}

func subtreeMessage(name, text string, time uint64) ([]byte, error) {
	origin, tree, err := parseCheckpoint(text)
	if err != nil {
		return nil, err
	}
	msg := []byte("subtree/v1\n\x00")
	msg = append(append(msg, byte(len(name))), name...)
	msg = binary.BigEndian.AppendUint64(msg, time)
	msg = append(append(msg, byte(len(origin))), origin...)
	msg = binary.BigEndian.AppendUint64(msg, 0)
	msg = binary.BigEndian.AppendUint64(msg, uint64(tree.N))
	return append(msg, tree.Hash[:]...), nil
}

// tilePath is tlog-tiles' name of a tile; x/mod's own names put the height first.
func tilePath(level string, n int64, width int) string {
	path := fmt.Sprintf("%03d", n%1000)
	for n >= 1000 {
		n /= 1000
		path = fmt.Sprintf("x%03d/%s", n%1000, path)
	}
	if width < 256 {
		path += fmt.Sprintf(".p/%d", width)
	}
	return filepath.Join("tile", level, path)
}

// readEntries reads every bundle of the tree.
func readEntries(dir string, size int64) (entries [][]byte, err error) {
	for first := int64(0); first < size; first += 256 {
		width := int(min(256, size-first))
		path := tilePath("entries", first/256, width)
		data, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			return nil, err
		}
		for range width {
			if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
				return nil, fmt.Errorf("%s: cut short", path)
			}
			length := int(binary.BigEndian.Uint16(data))
			entries = append(entries, data[2:2+length])
			data = data[2+length:]
		}
		if len(data) > 0 {
			return nil, fmt.Errorf("%s: too long", path)
		}
	}
	return entries, nil
}

// memory holds every stored hash of a tree, in x/mod's order.
type memory []tlog.Hash

func (m memory) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		found[i] = m[index]
	}
	return found, nil
}

// checkTiles recomputes the root and every tile from the entries alone.
func checkTiles(dir string, tree tlog.Tree, entries [][]byte) error {
	var hashes memory
	for n, entry := range entries {
		more, err := tlog.StoredHashes(int64(n), entry, hashes)
		if err != nil {
			return err
		}
		hashes = append(hashes, more...)
	}
	if tree.N > 0 {
		root, err := tlog.TreeHash(tree.N, hashes)
		if err != nil {
			return err
		}
		if root != tree.Hash {
			return fmt.Errorf("the entries have root %v, the checkpoint %v", root, tree.Hash)
		}
	} else if tree.Hash != tlog.Hash(sha256.Sum256(nil)) {
		return fmt.Errorf("not the root of the empty tree")
	}
	for _, tile := range tlog.NewTiles(8, 0, tree.N) {
		if tile.W < 256 && int64(tile.W) != tree.N>>(8*tile.L)&255 {
			continue // x/mod also lists the partial tiles of smaller trees
		}
		wanted, err := tlog.ReadTileData(tile, hashes)
		if err != nil {
			return err
		}
		path := tilePath(strconv.Itoa(tile.L), tile.N, tile.W)
		found, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			return err
		}
		if !bytes.Equal(found, wanted) {
			return fmt.Errorf("%s is not what the entries give", path)
		}
	}
	return nil
}

// tiles lets x/mod read tiles from the directory; it checks each against the root.
type tiles string

func (tiles) Height() int                     { return 8 }
func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (dir tiles) ReadTiles(wanted []tlog.Tile) (found [][]byte, err error) {
	for _, tile := range wanted {
		path := tilePath(strconv.Itoa(tile.L), tile.N, tile.W)
		data, err := os.ReadFile(filepath.Join(string(dir), path))
		if err != nil {
			return nil, err
		}
		found = append(found, data)
	}
	return found, nil
}

// checkInclusion proves entries from the tiles alone: all of a small log, some of a large one.
func checkInclusion(dir string, tree tlog.Tree, entries [][]byte) (proven int, err error) {
	step := int64(1)
	if tree.N > 2000 {
		step = tree.N / 997
	}
	reader := tlog.TileHashReader(tree, tiles(dir))
	for n := int64(0); n < tree.N; n += step {
		proof, err := tlog.ProveRecord(tree.N, n, reader)
		if err != nil {
			return proven, err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, n, tlog.RecordHash(entries[n])); err != nil {
			return proven, fmt.Errorf("entry %d: %w", n, err)
		}
		proven++
	}
	return proven, nil
}

func openEntries(entries [][]byte, authors []string) (int, error) {
	if len(authors) == 0 {
		return 0, nil
	}
	var known []note.Verifier
	for _, vkey := range authors {
		v, err := note.NewVerifier(vkey)
		if err != nil {
			return 0, err
		}
		known = append(known, v)
	}
	for n, entry := range entries {
		if _, err := note.Open(entry, note.VerifierList(known...)); err != nil {
			return 0, fmt.Errorf("entry %d: %w", n, err)
		}
	}
	return len(entries), nil
}

// checkRecord finds the record in the log and, if a proof is given, checks it alone.
func checkRecord(o options, origin string, entries [][]byte) (int, error) {
	record, err := os.ReadFile(o.record)
	if err != nil {
		return 0, err
	}
	for n, entry := range entries {
		if !bytes.Equal(entry, record) {
			continue
		}
		if o.proof == "" {
			return n, nil
		}
		return n, checkProof(o, origin, int64(n), tlog.RecordHash(record))
	}
	return 0, fmt.Errorf("%s is no entry of this log", o.record)
}

// checkProof checks a .tlog-proof file without extra data.
func checkProof(o options, origin string, n int64, leaf tlog.Hash) error {
	data, err := os.ReadFile(o.proof)
	if err != nil {
		return err
	}
	head, signed, ok := strings.Cut(string(data), "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" || lines[1] != fmt.Sprintf("index %d", n) {
		return fmt.Errorf("not a proof of entry %d", n)
	}
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		proof = append(proof, hash)
	}
	from, tree, err := openCheckpoint([]byte(signed), append(o.logs, o.mirrors...))
	if err != nil {
		return fmt.Errorf("checkpoint of the proof: %w", err)
	}
	if from != origin {
		return fmt.Errorf("the proof is about %s", from)
	}
	return tlog.CheckRecord(proof, tree.N, tree.Hash, n, leaf)
}
