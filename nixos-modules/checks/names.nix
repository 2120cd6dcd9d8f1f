# Checks of the names of secrets, owners and groups.
{ config, lib, ... }:
let
  cfg = config.vault;
  inherit (import ./tools.nix { inherit config lib; }) option perSecret refuse;

  isNumber = text: builtins.match "[0-9]+" text != null;

  names = perSecret (
    name: _:
    refuse (builtins.match "[A-Za-z0-9][A-Za-z0-9_.-]*" name == null)
      "${option name}: a secret's name becomes the name of units and directories: letters, digits, `_`, `.` and `-` only, a letter or digit first. Another path in OpenBao is for ${option name}.secretPath to say."
    ++ (
      let
        rotated = lib.removePrefix "rotate-" name;
      in
      refuse (rotated != name && lib.elem rotated cfg.rotation.secrets)
        "${option name}: the unit vault-secret-${name} is the rotation of ${option rotated}. Give one of the two another name."
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
      "${option name}.secretPath is `${secret.secretPath}`: write a path as `hosts/web01/db`, without an empty segment, `.` or `..`."
  );

  # A secret, or a template with an owner of its own.
  ownersOf =
    name: where: declared:
    refuse
      (declared.owner != null && !isNumber declared.owner && !config.users.users ? ${declared.owner})
      "${where}.owner is `${toString declared.owner}`, and this host has no such user. Declare `users.users.${toString declared.owner}`, or, for a service with DynamicUser, set ${option name}.asCredential."
    ++
      refuse
        (declared.group != null && !isNumber declared.group && !config.users.groups ? ${declared.group})
        "${where}.group is `${toString declared.group}`, and this host has no such group. Declare `users.groups.${toString declared.group}`.";
  owners = perSecret (
    name: secret:
    ownersOf name (option name) secret
    ++ lib.concatLists (
      lib.mapAttrsToList (
        file: template: ownersOf name "${option name}.templates.\"${file}\"" template
      ) secret.templates
    )
  );
in
{
  config = lib.mkIf cfg.enable { assertions = names ++ paths ++ owners; };
}
