# The checks of `nix flake check` that need no virtual machine.
{ pkgs, self }:
let
  inherit (pkgs) lib;
  inherit (lib) fileset;

  sources = import ./sources.nix { inherit lib; };

  # A cargo command on the workspace, with the crates of Cargo.lock at hand.
  cargoCheck =
    name: src: inputs: command:
    pkgs.rustPlatform.buildRustPackage {
      pname = "check-${name}";
      inherit ((lib.importTOML ../Cargo.toml).workspace.package) version;
      inherit src;
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
    pkgs.runCommand "check-${name}" { nativeBuildInputs = [ pkgs.gitMinimal ] ++ inputs; } ''
      cp -r ${src} source
      chmod -R u+w source
      patchShebangs source # the sandbox has no /usr/bin/env
      cd source
      # The tools ask git for the files of the tree.
      export HOME=$TMPDIR
      git init --quiet
      git add --all
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
    ../Cargo.toml # tools/setup reads the oldest Rust there
    ../example # the demo copies it
    ../ruff.toml
    ./checks.nix # bare.py compares its programs with those of `testPrograms`
    ../tests/guest
    ../tests/scenarios # test_scripts.py and test_programs.py read them
    ../tests/units/rendered.json # test_programs.py reads it
    ../tools
  ];

  # The example's own outputs, with this flake in the place of its input `path:..`: a lock file of
  # the example would pin nixpkgs a second time, and this flake by a hash of itself.
  example = (import ../example/flake.nix).outputs {
    self = throw "the example does not use itself";
    inherit (self.inputs) nixpkgs;
    zero-touch-secrets = self;
  };

  # Instantiating is the test: a host is not built for it.
  toplevels = lib.mapAttrsToList (
    name: host:
    "${name} ${builtins.unsafeDiscardStringContext host.config.system.build.toplevel.drvPath}"
  ) example.nixosConfigurations;

  # `nix flake check` applies no overlay: names that depend on `final` would go unnoticed.
  overlaid = removeAttrs (lib.fix (lib.extends self.overlays.default (_: pkgs))) (lib.attrNames pkgs);
  overlayNames = lib.mapAttrsToList (
    name: package: "${name} ${builtins.unsafeDiscardStringContext package.drvPath}"
  ) overlaid;

  # Another Rust has other lints: its warnings are shown, and only those of the pinned one fail.
  pinned = lib.importTOML ../rust-toolchain.toml;
  denied = lib.optionalString (
    lib.versions.majorMinor pkgs.rustc.version == lib.versions.majorMinor pinned.toolchain.channel
  ) "-- -D warnings";

  # A test whose program is missing is skipped, and the build's log names it.
  testPrograms = [
    pkgs.cacert # sets SSL_CERT_FILE
    pkgs.age
    pkgs.curl
    pkgs.etcd
    pkgs.gitMinimal
    pkgs.gnupg
    pkgs.jq
    pkgs.kubectl
    pkgs.kubernetes
    pkgs.mdbook
    pkgs.openbao
    pkgs.openssl
    pkgs.opentofu
    pkgs.prometheus
    pkgs.prometheus.cli
    pkgs.python3
    pkgs.sops
    pkgs.strace
    pkgs.util-linux # mount, prlimit, script, setpriv, unshare
    pkgs.versitygw
  ];

  # The programs build, and print their man pages and completions.
  programs = lib.mapAttrs' (name: lib.nameValuePair "package-${name}") (
    import ./packages.nix { inherit pkgs; }
  );
in
programs
// import ../tests/vm { inherit lib pkgs; }
// {
  clippy = cargoCheck "clippy" sources.clippy [
    pkgs.clippy
  ] "cargo clippy --workspace --all-targets --offline ${denied}";
  # A failed build keeps nothing that is compiled: it names what fails in all suites.
  tests =
    cargoCheck "tests" sources.tests testPrograms
      "cargo test --workspace --exclude=zts-book --offline --no-fail-fast";
  documentation =
    cargoCheck "documentation" sources.everything testPrograms
      "cargo test --package=zts-book --offline";

  format = sourceCheck "format" (import ./formatters.nix {
    inherit pkgs;
  }) ../. "python3 tools/format --check";
  deadnix = sourceCheck "deadnix" [ pkgs.deadnix ] nixFiles "deadnix --fail .";
  statix = sourceCheck "statix" [
    pkgs.statix
  ] (fileset.union nixFiles ../statix.toml) "statix check .";

  tofu = sourceCheck "tofu" [ pkgs.opentofu ] ../example/terraform ''
    tofu -chdir=example/terraform/modules/cloud-init init
    tofu -chdir=example/terraform/modules/cloud-init test
  '';

  # A page that is listed and missing fails it.
  book = sourceCheck "book" [ pkgs.mdbook ] ../docs "mdbook build --dest-dir $TMPDIR/book docs";

  tools = sourceCheck "tools" toolsCheckers toolsFiles ''
    ruff check .
    grep --recursive --files-with-matches '^#!.*bash$' tools tests | xargs shellcheck --check-sourced
    python3 -m unittest discover --start-directory tools/checks
  '';

  modules = (import ../tests/modules { inherit pkgs; }).check;
  rendered = import ../tests/units/check.nix { inherit lib pkgs self; };

  options = (import ./options.nix { inherit pkgs; }).optionsCommonMark;
  deploy = import ../tests/deploy { inherit pkgs self example; };

  hosts = pkgs.writeText "check-hosts" (lib.concatLines toplevels);
  overlay = pkgs.writeText "check-overlay" (lib.concatLines overlayNames);
}
