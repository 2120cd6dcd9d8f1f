# One of the programs in crates/, alone: a host that needs `vault-fetch` gets nothing else.
{
  lib,
  stdenv,
  rustPlatform,
  installShellFiles,
  pname,
}:
let
  inherit (lib) fileset;
  crates = ../crates;
  crateNames = lib.attrNames (builtins.readDir crates);
  manifest = lib.importTOML (crates + "/${pname}/Cargo.toml");
  workspace = (lib.importTOML ../Cargo.toml).workspace.package;

  # Tests run in the flake's checks; without them here, changing one builds no program anew.
  tests = fileset.unions (map (name: fileset.maybeMissing (crates + "/${name}/tests")) crateNames);
in
rustPlatform.buildRustPackage {
  inherit pname;
  inherit (workspace) version;

  src = fileset.toSource {
    root = ../.;
    fileset = fileset.unions [
      ../Cargo.toml
      ../Cargo.lock
      (fileset.difference crates tests)
    ];
  };
  cargoLock.lockFile = ../Cargo.lock;
  cargoBuildFlags = [ "--package=${pname}" ];
  doCheck = false;

  nativeBuildInputs = [ installShellFiles ];
  postInstall = lib.optionalString (stdenv.buildPlatform.canExecute stdenv.hostPlatform) ''
    for shell in bash fish zsh; do
      $out/bin/${pname} --generate $shell > ${pname}.$shell
    done
    installShellCompletion --cmd ${pname} --bash ${pname}.bash --fish ${pname}.fish --zsh ${pname}.zsh

    $out/bin/${pname} --generate man > ${pname}.1
    installManPage ${pname}.1
  '';

  meta = {
    inherit (manifest.package) description;
    license = lib.licenses.mit;
    mainProgram = pname;
    platforms = lib.platforms.linux;
  };
}
