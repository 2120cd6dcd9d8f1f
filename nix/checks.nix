# What `nix flake check` proves without a virtual machine.
{ pkgs, self }:
let
  inherit (pkgs) lib;
  inherit (lib) fileset;

  # A cargo command over the whole workspace, with the crates of Cargo.lock at hand.
  cargoCheck =
    name: inputs: command:
    pkgs.rustPlatform.buildRustPackage {
      pname = "check-${name}";
      inherit ((lib.importTOML ../Cargo.toml).workspace.package) version;
      src = self;
      cargoLock.lockFile = ../Cargo.lock;
      nativeBuildInputs = inputs;
      buildPhase = command;
      doCheck = false;
      installPhase = "touch $out";
    };

  # A command over some files of the tree, run at their root.
  sourceCheck =
    name: inputs: files: command:
    let
      src = fileset.toSource {
        root = ../.;
        fileset = files;
      };
    in
    pkgs.runCommand "check-${name}" { nativeBuildInputs = inputs; } ''
      cp -r --no-preserve=mode ${src} source
      cd source
      ${command}
      touch $out
    '';

  # The editors' tests hold Nix that is odd on purpose.
  nixFiles = fileset.difference (fileset.fileFilter (file: file.hasExt "nix") ../.) ../crates;

  toolsCheckers = [
    pkgs.python3
    pkgs.ruff
    pkgs.shellcheck
    pkgs.util-linux # setsid, in the tools' own tests
  ];
  toolsFiles = fileset.unions [
    ../.shellcheckrc
    ../ruff.toml
    ../tools
  ];

  # Instantiating is the test: a host is not built for it.
  toplevels = lib.mapAttrsToList (
    name: host:
    "${name} ${builtins.unsafeDiscardStringContext host.config.system.build.toplevel.drvPath}"
  ) self.nixosConfigurations;

  # The programs build, and print their man page and completions.
  programs = lib.mapAttrs' (name: lib.nameValuePair "package-${name}") (
    import ./packages.nix { inherit pkgs; }
  );
in
programs
// import ../tests/vm { inherit lib pkgs self; }
// {
  rustfmt = cargoCheck "rustfmt" [ pkgs.rustfmt ] "cargo fmt --all --check";
  clippy = cargoCheck "clippy" [
    pkgs.clippy
  ] "cargo clippy --workspace --all-targets --offline -- -D warnings";
  tests = cargoCheck "tests" [
    pkgs.etcd
    pkgs.gitMinimal
    pkgs.kubectl
    pkgs.kubernetes
    pkgs.openbao
    pkgs.opentofu
    pkgs.prometheus
    pkgs.prometheus.cli
  ] "cargo test --workspace --offline";

  nixfmt = sourceCheck "nixfmt" [
    pkgs.nixfmt
  ] nixFiles "find . -name '*.nix' -exec nixfmt --check {} +";
  deadnix = sourceCheck "deadnix" [ pkgs.deadnix ] nixFiles "deadnix --fail .";
  statix = sourceCheck "statix" [ pkgs.statix ] nixFiles "statix check .";

  tofu = sourceCheck "tofu" [ pkgs.opentofu ] ../terraform ''
    export HOME=$TMPDIR
    tofu fmt -check -diff -recursive terraform
    tofu -chdir=terraform/modules/cloud-init init
    tofu -chdir=terraform/modules/cloud-init test
  '';

  # A page that is listed and missing fails it.
  book = sourceCheck "book" [ pkgs.mdbook ] ../docs "mdbook build --dest-dir $TMPDIR/book docs";

  tools = sourceCheck "tools" toolsCheckers toolsFiles ''
    export HOME=$TMPDIR
    ruff format --check tools
    ruff check tools
    grep --recursive --files-with-matches '^#!.*bash$' tools | xargs shellcheck --check-sourced
    python3 -m unittest discover --start-directory tools/checks
  '';

  modules = (import ../tests/modules { inherit pkgs; }).check;
  rendered = import ../tests/units/check.nix { inherit lib pkgs self; };

  hosts = pkgs.writeText "check-hosts" (lib.concatLines toplevels);
}
