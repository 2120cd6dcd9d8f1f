# One program with its man pages and completions, copied out of the build of all programs. It is a
# derivation of its own, not an output of that build: a host that needs `vault-fetch` then downloads
# nothing else, and each program has its name, description and platforms.
{
  lib,
  stdenvNoCC,
  installShellFiles,
  testers,
  pname,
  platforms,
  workspace,
}:
stdenvNoCC.mkDerivation (finalAttrs: {
  inherit pname;
  inherit (workspace) version;

  dontUnpack = true;
  strictDeps = true;
  nativeBuildInputs = [ installShellFiles ];
  installPhase = ''
    runHook preInstall
    install -D --target-directory=$out/bin ${workspace}/bin/${pname}
    runHook postInstall
  '';
  postInstall = lib.optionalString (stdenvNoCC.buildPlatform.canExecute stdenvNoCC.hostPlatform) ''
    for shell in bash fish zsh; do
      $out/bin/${pname} --generate $shell > ${pname}.$shell
    done
    installShellCompletion --cmd ${pname} --bash ${pname}.bash --fish ${pname}.fish --zsh ${pname}.zsh

    mkdir man
    $out/bin/${pname} --generate man man
    installManPage man/*
  '';
  disallowedReferences = [ workspace ];

  passthru.tests.version = testers.testVersion { package = finalAttrs.finalPackage; };

  meta = {
    inherit ((lib.importTOML (../crates + "/${pname}/Cargo.toml")).package) description;
    inherit platforms;
    license = lib.licenses.mit;
    maintainers = import ./maintainers.nix { inherit lib; };
    mainProgram = pname;
  };
})
