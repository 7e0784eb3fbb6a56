// Builds etcd from its Go module, so that tests can run on the newest release
// (etcd's own main package is not a module that `go install` can take).
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
