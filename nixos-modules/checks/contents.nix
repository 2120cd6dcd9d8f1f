# What the folder of a secret holds beside the files of its keys.
{ config, lib, ... }:
let
  cfg = config.vault;
  inherit (import ./tools.nix { inherit config lib; })
    option
    perSecret
    quoted
    refuse
    ;

  # As vault-fetch takes it in `--template NAME=FILE`.
  isFileName = file: builtins.match "[^/=[:cntrl:]]+" file != null && file != "." && file != "..";

  # As systemd takes it in a directory of `LoadCredential=`. A text of Nix counts in bytes.
  isCredential =
    name: file:
    builtins.match "[ -9;-~]*" file != null
    && !lib.hasPrefix "." file
    && lib.stringLength "${name}_${file}" <= 255;
in
{
  config.assertions = lib.mkIf cfg.enable (
    perSecret (
      name: secret:
      let
        # Keys that only OpenBao knows, vault-fetch and vault-plan look at.
        named =
          lib.attrNames secret.templates
          ++ lib.optional (secret.environmentFile != null) secret.environmentFile
          ++ secret.requiredKeys;
        noCredentials = lib.filter (file: secret.asCredential && !isCredential name file) named;
        odd = lib.filter (file: !isFileName file) (lib.attrNames secret.templates);
      in
      refuse (
        odd != [ ]
      ) "${option name}.templates: ${quoted odd} must be plain file names, without `/` and `=`."
      ++
        refuse
          (lib.elem secret.environmentFile [
            "."
            ".."
          ])
          "${option name}.environmentFile is `${toString secret.environmentFile}`: it must be a plain file name."
      ++
        refuse (secret.environmentFile != null && secret.templates ? ${secret.environmentFile})
          "${option name}: the environment file and a template are both named `${toString secret.environmentFile}`."
      ++
        refuse (noCredentials != [ ])
          "${option name}.asCredential is set, and systemd takes no credential named ${quoted noCredentials}: printable ASCII without `:`, no dot at the beginning, 255 bytes with the secret's name and `_` before it."
      ++ refuse (lib.elem "" secret.requiredKeys) "${option name}.requiredKeys has an empty key."
    )
  );
}
