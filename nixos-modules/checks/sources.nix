# Checks of secrets that are not in the KV engine.
{ config, lib, ... }:
let
  cfg = config.vault;
  inherit (import ./tools.nix { inherit config lib; }) option perSecret refuse;
  sources = import ../source.nix { inherit lib; };

  # The options that only a secret in the KV engine has.
  onlyKv = perSecret (
    name: secret:
    lib.optionals (secret.source != null) (
      refuse (secret.version != null)
        "${option name}: a version is pinned of a secret in the KV engine only. Remove `version`, or `source`."
      ++
        refuse (secret.generate != { })
          "${option name}: only a secret in the KV engine is made by `vault-plan`. Remove `generate`, or `source`."
      ++
        refuse
          (
            (secret.source ? pki || secret.source ? ssh)
            && (secret.environmentFile != null || secret.encoding != { })
          )
          "${option name}: the files of a certificate have fixed names, which are no variables, and are not encoded. Remove `environmentFile` and `encoding`."
      ++
        refuse (secret.secretPath != sources.pathOf secret.source)
          "${option name}.secretPath is `${secret.secretPath}`, and with `source` the path is `${sources.pathOf secret.source}`. Remove `secretPath`."
    )
  );
in
{
  config = lib.mkIf cfg.enable { assertions = onlyKv; };
}
