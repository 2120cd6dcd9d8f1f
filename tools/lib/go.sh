# shellcheck shell=bash
# Functions for builds of programs from Go modules: sourced by build-go-program and build-kubernetes.

# enter_go SCRATCH_FOLDER TOOLCHAIN: outside any module, with Go's caches in the scratch folder.
# Sets `go` to a Go that fetches the one a module asks for; where the machine's is older than 1.21,
# which does not, to TOOLCHAIN (such as 1.26.8).
enter_go() {
  local scratch=$1 minor toolchain
  mkdir -p "$scratch/empty"
  cd "$scratch/empty" || return
  export GOPATH=$scratch/go GOCACHE=$scratch/go-build GOFLAGS=-modcacherw CGO_ENABLED=0
  unset GOMODCACHE GOBIN GOOS GOARCH
  export GOWORK=off # a module's source may carry a workspace of more than it ships
  go=go
  minor=$(go env GOVERSION | sed 's/^go1\.\([0-9]*\).*/\1/')
  if [ "$minor" -ge 21 ]; then
    export GOTOOLCHAIN=auto
    return
  fi
  toolchain=golang.org/toolchain@v0.0.1-go$2.$(go env GOHOSTOS)-$(go env GOHOSTARCH)
  go mod download "$toolchain"
  go=$GOPATH/pkg/mod/$toolchain/bin/go
  # A module's files carry no permissions.
  chmod -R u+w "$GOPATH/pkg/mod/$toolchain"
  find "$GOPATH/pkg/mod/$toolchain/bin" "$GOPATH/pkg/mod/$toolchain/pkg/tool" -type f -exec chmod 755 {} +
  export GOTOOLCHAIN=local
}

# fetch_module MODULE@VERSION SUM: prints the folder of its source, whose sum, as the checksum
# database has it, must be SUM.
fetch_module() {
  local downloaded sum
  downloaded=$("$go" mod download -json "$1")
  field() { sed -n "s/^\t\"$1\": \"\(.*\)\",\{0,1\}$/\1/p" <<<"$downloaded"; }
  sum=$(field Sum)
  if [ "$sum" != "$2" ]; then
    echo "$1 has the sum \`$sum\`, not \`$2\`" >&2
    return 1
  fi
  field Dir
}
