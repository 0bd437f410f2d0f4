// Cosign makes the 0x06 cosignature of a fixed seed, time and checkpoint with Go's ML-DSA-44, in
// its deterministic form, so that it can be written down and compared.
//
//	cosign SEED-HEX NAME SECONDS < CHECKPOINT-TEXT
//
// Prints JSON: the public key's SHA-256, the vkey, the signed message and the signature line's blob.
package main

import (
	"bufio"
	"crypto/mldsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"log"
	"os"
	"strconv"
	"strings"
)

func main() {
	seed, err := hex.DecodeString(os.Args[1])
	check(err)
	name := os.Args[2]
	seconds, err := strconv.ParseUint(os.Args[3], 10, 63)
	check(err)
	in := bufio.NewReader(os.Stdin)
	origin, size, root := line(in), line(in), line(in)

	private, err := mldsa.NewPrivateKey(mldsa.MLDSA44(), seed)
	check(err)
	public := append([]byte{6}, private.PublicKey().Bytes()...)
	id := sha256.Sum256(append([]byte(name+"\n"), public...))

	count, err := strconv.ParseUint(size, 10, 63)
	check(err)
	hash, err := base64.StdEncoding.DecodeString(root)
	check(err)
	message := []byte("subtree/v1\n\x00")
	message = append(append(message, byte(len(name))), name...)
	message = binary.BigEndian.AppendUint64(message, seconds)
	message = append(append(message, byte(len(origin))), origin...)
	message = binary.BigEndian.AppendUint64(message, 0)
	message = binary.BigEndian.AppendUint64(message, count)
	message = append(message, hash...)

	signature, err := private.SignDeterministic(message, nil)
	check(err)
	blob := append(binary.BigEndian.AppendUint64(id[:4:4], seconds), signature...)
	check(json.NewEncoder(os.Stdout).Encode(map[string]string{
		"public_sha256": sum(public[1:]),
		"key_id":        hex.EncodeToString(id[:4]),
		"vkey":          name + "+" + hex.EncodeToString(id[:4]) + "+" + base64.StdEncoding.EncodeToString(public),
		"message":       hex.EncodeToString(message),
		"blob":          base64.StdEncoding.EncodeToString(blob),
	}))
}

func line(in *bufio.Reader) string {
	text, err := in.ReadString('\n')
	check(err)
	return strings.TrimSuffix(text, "\n")
}

func sum(data []byte) string {
	hash := sha256.Sum256(data)
	return hex.EncodeToString(hash[:])
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
