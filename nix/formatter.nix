# `nix fmt`: each language's own formatter over the whole tree. The inputs and expected outputs
# of the editors' tests are left as they are: their layout is what is tested.
{ pkgs }:
pkgs.writeShellApplication {
  name = "fmt";
  runtimeInputs = [
    pkgs.cargo
    pkgs.nixfmt
    pkgs.opentofu
    pkgs.rustfmt
  ];
  text = ''
    cargo fmt --all
    find . -name '*.nix' -not -path './crates/*' -not -path './target/*' -exec nixfmt {} +
    tofu fmt -recursive terraform
  '';
}
