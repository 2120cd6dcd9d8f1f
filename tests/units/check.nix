# That what is committed is what Nix renders: compared when it is evaluated, so that nothing is built.
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

  names = lib.attrNames (
    lib.filterAttrs (
      name: kind: kind == "directory" && lib.pathExists (./. + "/${name}/manifest.json")
    ) (builtins.readDir ./.)
  );

  # A node's files, with the manifest as a value: its layout is for people.
  committed =
    name:
    let
      folder = ./. + "/${name}";
      units = folder + "/units";
      inFolder = path: lib.removePrefix "${toString units}/" (toString path);
    in
    {
      manifest = lib.importJSON (folder + "/manifest.json");
      units = lib.listToAttrs (
        map (path: lib.nameValuePair (inFolder path) (builtins.readFile path)) (
          # Git has no folder for a node without units.
          lib.optionals (lib.pathExists units) (lib.filesystem.listFilesRecursive units)
        )
      );
    };

  differing =
    what: old: new:
    lib.concatMap (name: lib.optional (old.${name} or null != new.${name} or null) "${what}: ${name}") (
      lib.attrNames (old // new)
    );
  inNode =
    name:
    let
      old = if lib.elem name names then committed name else { };
      new = rendered.nodes.${name} or { };
    in
    differing "${name}, manifest" old.manifest or { } new.manifest or { }
    ++ differing "${name}, units" old.units or { } new.units or { };

  page = ../../docs/options.md;
  wrong =
    lib.concatMap inNode (lib.unique (names ++ lib.attrNames rendered.nodes))
    ++ lib.optional (
      !lib.pathExists page || builtins.readFile page != rendered.options
    ) "docs/options.md";
in
if wrong == [ ] then
  pkgs.runCommand "check-rendered" { } "touch $out"
else
  throw ''
    What is committed is not what Nix renders; run `tests/units/render`. It differs in:
    ${lib.concatLines wrong}''
