# The maintainers of packages and modules: entries of `lib.maintainers`, because a NixOS module
# takes no others. It stays empty until a maintainer is in nixpkgs' list.
_: [ ]
