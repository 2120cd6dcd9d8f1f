# The programs that tools/format calls: `nix fmt`, checks.format and the dev shell have the same.
{ pkgs }:
[
  pkgs.gitMinimal # lists the files
  pkgs.nixfmt-rs or pkgs.nixfmt # tools/setup builds the first; both write the same, byte for byte
  pkgs.opentofu
  pkgs.python3
  pkgs.ruff
  pkgs.rustfmt
]
