# shellcheck shell=bash
# The parts of tools/setup that come with the machine: Debian packages and Rust.

# The Debian packages whose work nobody on this machine does, by what they are for, not by dpkg:
# a compiler from elsewhere is as good.
missing_packages() {
  local missing=()
  printf '#include <stdlib.h>\nint main(void) { return 0; }\n' |
    gcc -x c -fsyntax-only - 2>/dev/null || missing+=(gcc libc6-dev)
  command -v git >/dev/null || missing+=(git)
  command -v python3 >/dev/null || missing+=(python3)
  # Only for downloads, which the flake's dev shell does not need.
  if [ -z "${IN_NIX_SHELL:-}" ]; then
    python3 -c 'import pip' 2>/dev/null || missing+=(python3-pip)
    [ -e /etc/ssl/certs/ca-certificates.crt ] || missing+=(ca-certificates)
  fi
  printf '%s' "${missing[*]}"
}

install_packages() {
  local packages
  read -ra packages <<<"$(missing_packages)"
  apt_install "${packages[@]}"
}

# The Debian packages of the programs that Rust tests start, by program. A test skips itself where
# one is missing.
declare -A test_package_of=(
  [age]=age [age-keygen]=age [curl]=curl [gpg]=gpg [gpg-agent]=gpg-agent [jq]=jq [mount]=mount [openssl]=openssl
  [prlimit]=util-linux [script]=bsdutils [setpriv]=util-linux [strace]=strace [unshare]=util-linux
)

missing_test_packages() {
  local program missing=()
  for program in "${!test_package_of[@]}"; do
    command -v "$program" >/dev/null || missing+=("${test_package_of[$program]}")
  done
  [ ${#missing[@]} -eq 0 ] || printf '%s\n' "${missing[@]}" | sort -u | tr '\n' ' '
}

install_test_packages() {
  local packages
  read -ra packages <<<"$(missing_test_packages)"
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "skipped: setup of test-programs: \`sudo apt-get install ${packages[*]}\`, on Debian" >&2
    return
  fi
  apt_install "${packages[@]}"
}

# apt_install PACKAGE…: as root by apt, otherwise says the command.
apt_install() {
  local command="apt-get install --no-install-recommends -y $*"
  if ! command -v apt-get >/dev/null; then
    complain "this machine lacks: $*" "those are Debian's names; install them as this system does it"
    return 1
  fi
  if [ "$(id -u)" -ne 0 ]; then
    complain "this machine lacks: $*" "run \`sudo $command\`, then this again"
    return 1
  fi
  step "Debian packages $*" env DEBIAN_FRONTEND=noninteractive sh -euc "
    apt-get -qq -o DPkg::Lock::Timeout=300 update
    apt-get -qq -o DPkg::Lock::Timeout=300 install --no-install-recommends -y $*"
}

# at_least WANTED VERSION
at_least() { printf '%s\n%s\n' "$1" "$2" | sort --version-sort --check=quiet; }

rust_wanted() { sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$root/Cargo.toml"; }

rust_is_new_enough() {
  local version
  version=$(cargo --version 2>/dev/null | cut -d' ' -f2) &&
    at_least "$(rust_wanted)" "${version:-0}" &&
    cargo clippy --version >/dev/null 2>&1 && cargo fmt --version >/dev/null 2>&1
}

# The machine's own Rust first, then Debian's, then one in the cache.
install_rust() {
  local wanted
  wanted=$(rust_wanted)
  if [ "$(id -u)" -eq 0 ] && debian_ships cargo "$wanted"; then
    apt_install cargo rust-clippy rustfmt && rust_is_new_enough && return
  fi
  if ! command -v rustup >/dev/null && [ "$(id -u)" -eq 0 ] && debian_ships rustup 1; then
    apt_install rustup || return
  fi
  if command -v rustup >/dev/null; then
    ask_rustup && rust_is_new_enough && return
  fi
  rm -rf "$work/rust" "$work/rust-scratch"
  step "Rust (stable), for this project only" "$here/lib/fetch-rust" "$work/rust-scratch" "$work/rust" &&
    rm -rf "$cache/rust" "$work/rust-scratch" &&
    mv -T "$work/rust" "$cache/rust" &&
    export PATH=$cache/rust/bin:$PATH &&
    rust_is_new_enough
}

has_oldest_rust() {
  ! command -v rustup >/dev/null || rustup run "$(rust_wanted).0" cargo --version >/dev/null 2>&1
}

# Skipped by name where rustup cannot fetch it: the programs work without.
install_oldest_rust() {
  step "Rust $(rust_wanted).0, the oldest" rustup toolchain install "$(rust_wanted).0" --profile minimal ||
    echo "skipped: setup of oldest-rust: rustup cannot fetch Rust $(rust_wanted).0" >&2
}

macos_targets=(aarch64-apple-darwin x86_64-apple-darwin)

has_macos() {
  local target
  ! command -v rustup >/dev/null && return
  for target in "${macos_targets[@]}"; do
    [ -d "$(rustc --print target-libdir --target "$target")" ] || return
  done
}

# Skipped by name where rustup cannot fetch them: the check for macOS is left out.
install_macos() {
  step "Rust's standard libraries of Macs" rustup target add "${macos_targets[@]}" ||
    echo "skipped: setup of macos: rustup cannot fetch the targets ${macos_targets[*]}" >&2
}

# Completes the toolchain that is there: which one is its owner's choice.
ask_rustup() {
  if rustup default >/dev/null 2>&1; then
    step "clippy and rustfmt" rustup component add clippy rustfmt
  else
    step "Rust (stable)" sh -euc 'rustup set profile minimal; rustup default stable; rustup component add clippy rustfmt'
  fi
}

# debian_ships PACKAGE VERSION: whether apt knows that package at least in that version.
debian_ships() {
  local candidate
  candidate=$(apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: *//p')
  [ -n "$candidate" ] && [ "$candidate" != "(none)" ] && at_least "$2" "$candidate"
}
