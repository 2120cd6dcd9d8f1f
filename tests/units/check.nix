# Compares the committed files with the rendering of Nix, during evaluation, so that nothing is
# built.
{
  pkgs,
  lib,
  self,
}:
let
  rendered = import ./render.nix {
    inherit (self.inputs) nixpkgs;
    inherit pkgs;
  };
  committed = lib.importJSON ./rendered.json;

  differing =
    what: old: new:
    lib.concatMap (name: lib.optional (old.${name} or null != new.${name} or null) "${what}: ${name}") (
      lib.attrNames (old // new)
    );
  inNode =
    name:
    let
      old = committed.${name} or { };
      new = rendered.nodes.${name} or { };
    in
    differing "${name}, manifest" old.manifest or { } new.manifest or { }
    ++ differing "${name}, units" old.units or { } new.units or { };

  wrong =
    lib.concatMap inNode (lib.attrNames (committed // rendered.nodes))
    ++ lib.optional (builtins.readFile ../../docs/options.md != rendered.options) "docs/options.md";
in
if wrong == [ ] then
  pkgs.runCommand "check-rendered" { } "touch $out"
else
  throw ''
    What is committed is not what Nix renders; run `tests/units/render`. It differs in:
    ${lib.concatLines wrong}''
