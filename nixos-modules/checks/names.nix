# Names of secrets, and of those who own the files.
{ config, lib, ... }:
let
  cfg = config.vault;
  inherit (import ./tools.nix { inherit config lib; }) option perSecret refuse;

  isNumber = text: builtins.match "[0-9]+" text != null;

  names = perSecret (
    name: _:
    refuse (builtins.match "[A-Za-z0-9][A-Za-z0-9_.-]*" name == null)
      "${option name}: a secret's name becomes the name of units and folders: letters, digits, `_`, `.` and `-` only, a letter or digit first. Another path in OpenBao is for ${option name}.secretPath to say."
    ++ (
      let
        rotated = lib.removePrefix "rotate-" name;
      in
      refuse (rotated != name && lib.elem rotated cfg.rotation.secrets)
        "${option name}: the unit vault-secret-${name} is the one that looks for new versions of ${option rotated}. Give one of the two another name."
    )
  );

  paths = perSecret (
    name: secret:
    refuse
      (lib.any (
        segment:
        lib.elem segment [
          ""
          "."
          ".."
        ]
      ) (lib.splitString "/" secret.secretPath))
      "${option name}.secretPath is `${secret.secretPath}`: a path reads `hosts/web01/db`, without an empty segment, `.` or `..`."
  );

  owners = perSecret (
    name: secret:
    refuse (!isNumber secret.owner && !config.users.users ? ${secret.owner})
      "${option name}.owner is `${secret.owner}`, and this host has no such user. Declare `users.users.${secret.owner}`, or, for a service with DynamicUser, set ${option name}.asCredential."
    ++
      refuse (!isNumber secret.group && !config.users.groups ? ${secret.group})
        "${option name}.group is `${secret.group}`, and this host has no such group. Declare `users.groups.${secret.group}`."
  );
in
{
  config = lib.mkIf cfg.enable { assertions = names ++ paths ++ owners; };
}
