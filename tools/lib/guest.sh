# shellcheck shell=bash
# The part `guest` of tools/setup: what boots guests on this machine, and the image they boot from.

# The Debian packages of the programs that tests/guest starts, by program.
declare -A guest_package_of=(
  [systemd-nspawn]=systemd-container [debootstrap]=debootstrap [ip]=iproute2 [nsenter]=util-linux
  [setpriv]=util-linux [unshare]=util-linux [mount]=mount [journalctl]=systemd
)

# A user's PATH need not have the folders of root's programs.
missing_guest_packages() {
  local program missing=()
  for program in "${!guest_package_of[@]}"; do
    PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null || missing+=("${guest_package_of[$program]}")
  done
  [ ${#missing[@]} -eq 0 ] || printf '%s\n' "${missing[@]}" | sort -u | tr '\n' ' '
}

has_guest() { [ -z "$(missing_guest_packages)" ] && [ -d "$("$root/tests/guest/image")" ]; }

install_guest() {
  local packages
  if [ "$(id -u)" -ne 0 ]; then
    echo "skipped: setup of guest: it needs root (\`sudo tools/setup guest\`)" >&2
    return
  fi
  if ! command -v apt-get >/dev/null; then
    echo "skipped: setup of guest: this is not Debian, which the guests are made from" >&2
    return
  fi
  read -ra packages <<<"$(missing_guest_packages)"
  if [ ${#packages[@]} -gt 0 ]; then apt_install "${packages[@]}" || return; fi
  step "building the guests' image (about a minute)" "$root/tests/guest/image" --build
}
