# Checks of the files in a secret's output directory.
{ config, lib, ... }:
let
  cfg = config.vault;
  inherit (lib) concatMap filter optional;
  inherit (import ./tools.nix { inherit config lib; })
    option
    perSecret
    quoted
    refuse
    ;

  required = import ../required.nix { inherit lib; };

  # The files that the declaration names. vault-fetch and vault-plan check keys that only OpenBao
  # has.
  named =
    secret:
    lib.attrNames secret.templates
    ++ optional (secret.environmentFile != null) secret.environmentFile
    ++ optional (secret.jsonFile != null) secret.jsonFile
    ++ lib.attrNames secret.encoding
    ++ required secret;

  # As vault-fetch takes it in `--template NAME=FILE`.
  isFileName = file: builtins.match "[^/=[:cntrl:]]+" file != null && file != "." && file != "..";

  # As systemd takes it in a directory of `LoadCredential=`. A text of Nix counts in bytes.
  isCredential =
    name: file:
    builtins.match "[ -9;-~]*" file != null
    && !lib.hasPrefix "." file
    && lib.stringLength "${name}_${file}" <= 255;

  # The secrets of one service whose credentials can have the same name: systemd calls a file
  # `<secret>_<file>`, so `x_y` of `db` is `y` of `db_x`. Without a warning, it loads the one that
  # it finds first.
  neighbours =
    name: secret:
    filter (
      other:
      lib.hasPrefix "${name}_" other
      && secret.asCredential
      && cfg.secrets.${other}.asCredential
      && lib.intersectLists secret.services cfg.secrets.${other}.services != [ ]
    ) (lib.attrNames cfg.secrets);
  inFull = name: map (file: "${name}_${file}") (named cfg.secrets.${name});
  twice = name: other: lib.intersectLists (inFull name) (inFull other);

  sameNames = perSecret (
    name: secret:
    concatMap (
      other:
      refuse (twice name other != [ ])
        "${option name} and ${option other} both give the credentials ${quoted (twice name other)} to one service, and systemd passes only one of each. Rename one of the secrets."
    ) (neighbours name secret)
  );
  likeNames = perSecret (
    name: secret:
    map (
      other:
      "${option name} and ${option other} are credentials of one service: a key `${lib.removePrefix "${name}_" other}_…` of the first gets the name of one of the second, and systemd passes only one of them. Rename one of the secrets; `vault-plan` finds such keys."
    ) (filter (other: twice name other == [ ]) (neighbours name secret))
  );
in
{
  config.warnings = lib.mkIf cfg.enable likeNames;
  config.assertions = lib.mkIf cfg.enable (
    sameNames
    ++ perSecret (
      name: secret:
      let
        noCredentials = filter (file: secret.asCredential && !isCredential name file) (named secret);
        odd = filter (file: !isFileName file) (lib.attrNames secret.templates);
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
      ++ refuse (lib.elem secret.jsonFile [
        "."
        ".."
      ]) "${option name}.jsonFile is `${toString secret.jsonFile}`: it must be a plain file name."
      ++ refuse (
        secret.jsonFile != null && secret.templates ? ${toString secret.jsonFile}
      ) "${option name}: the JSON file and a template are both named `${toString secret.jsonFile}`."
      ++
        refuse (secret.jsonFile != null && secret.jsonFile == secret.environmentFile)
          "${option name}: the JSON file and the environment file are both named `${toString secret.jsonFile}`."
      ++
        refuse (noCredentials != [ ])
          "${option name}.asCredential is set, and systemd takes no credential named ${quoted noCredentials}: printable ASCII without `:`, no dot at the beginning, 255 bytes with the secret's name and `_` before it."
      ++ refuse (lib.elem "" secret.requiredKeys) "${option name}.requiredKeys has an empty key."
      ++ refuse (secret.encoding ? "") "${option name}.encoding has an empty key."
    )
  );
}
