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
in
{
  config.assertions = lib.mkIf cfg.enable (
    perSecret (
      name: secret:
      let
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
      ++ refuse (lib.elem "" secret.requiredKeys) "${option name}.requiredKeys has an empty key."
    )
  );
}
