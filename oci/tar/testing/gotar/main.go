// Command gotar writes a layer's tar with Go's archive/tar, in the way the Go lifecycle does: it is what our own
// writer's bytes are compared with.
//
//	gotar walk HOST NAME UID GID [PARENT:UID:GID...]   the tree HOST under the absolute name NAME, parents first
//	gotar sorted HOST NAME UID GID LIST                the paths below NAME in the file LIST, sorted as plain strings
//	gotar headers                                      entries as JSON lines on standard input, without bodies
package main

import (
	"archive/tar"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"
)

var layerTime = time.Date(1980, time.January, 1, 0, 0, 1, 0, time.UTC)

func main() {
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(mode string, args []string) error {
	tw := tar.NewWriter(os.Stdout)
	var err error
	switch mode {
	case "walk":
		err = walk(tw, args[0], args[1], number(args[2]), number(args[3]), args[4:])
	case "sorted":
		err = sorted(tw, args[0], args[1], number(args[2]), number(args[3]), args[4])
	case "headers":
		err = headers(tw)
	default:
		err = fmt.Errorf("unknown mode %q", mode)
	}
	if err != nil {
		return err
	}
	return tw.Close()
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return value
}

func walk(tw *tar.Writer, host, name string, uid, gid int, parents []string) error {
	for _, parent := range parents {
		parts := strings.Split(parent, ":")
		header := &tar.Header{Typeflag: tar.TypeDir, Name: parts[0], Mode: 0o755,
			Uid: number(parts[1]), Gid: number(parts[2]), ModTime: layerTime}
		if err := tw.WriteHeader(header); err != nil {
			return err
		}
	}
	return filepath.Walk(host, func(path string, info fs.FileInfo, err error) error {
		if err != nil {
			return err
		}
		return add(tw, path, name+strings.TrimPrefix(path, host), info, uid, gid)
	})
}

func sorted(tw *tar.Writer, host, name string, uid, gid int, list string) error {
	bytes, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	paths := strings.Split(string(bytes), "\x00")
	sort.Strings(paths)
	for _, path := range paths {
		at := host + strings.TrimPrefix(path, name)
		info, err := os.Lstat(at)
		if err != nil {
			return err
		}
		if err := add(tw, at, path, info, uid, gid); err != nil {
			return err
		}
	}
	return nil
}

func add(tw *tar.Writer, host, name string, info fs.FileInfo, uid, gid int) error {
	if info.Mode()&fs.ModeSocket != 0 {
		return nil
	}
	target := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		var err error
		if target, err = os.Readlink(host); err != nil {
			return err
		}
	}
	header, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return err
	}
	header.Name, header.Uid, header.Gid = name, uid, gid
	header.Uname, header.Gname, header.ModTime = "", "", layerTime
	if err := tw.WriteHeader(header); err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	file, err := os.Open(host)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(tw, file)
	return err
}

type line struct {
	Name, Linkname                        string // base64: names are bytes
	Flag                                  string
	Mode, Uid, Gid, Size, Mtime, Maj, Min int64
}

// headers writes what WriteHeader makes of each line, and for a body of Size zeros only the header: the output is
// not a whole archive, just the headers one after another.
func headers(*tar.Writer) error {
	decoder := json.NewDecoder(os.Stdin)
	for {
		var l line
		if err := decoder.Decode(&l); err == io.EOF {
			os.Exit(0)
		} else if err != nil {
			return err
		}
		name, _ := base64.StdEncoding.DecodeString(l.Name)
		link, _ := base64.StdEncoding.DecodeString(l.Linkname)
		header := &tar.Header{Typeflag: l.Flag[0], Name: string(name), Linkname: string(link), Mode: l.Mode,
			Uid: int(l.Uid), Gid: int(l.Gid), Size: l.Size, ModTime: time.Unix(l.Mtime, 0), Devmajor: l.Maj, Devminor: l.Min}
		if err := tar.NewWriter(os.Stdout).WriteHeader(header); err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
	}
}
