# A host with a service for each way in which a switch treats a changed one, and secrets of each
# that the next generation declares differently.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  make = import ./lib/service.nix { inherit lib pkgs; };
  inherit (config.test) isNext;
  inherit (config.vault) secrets;

  # Services and what is special about them.
  flags = {
    reloads.reloadIfChanged = true;
    stays.restartIfChanged = false;
    quick.stopIfChanged = false;
    knocked.serviceConfig.StandardInput = "fd:knocked.socket";
    "crew@one" = { };
    job = { };
    dynamic.serviceConfig.DynamicUser = true;
  };
  names = lib.attrNames flags;
  # Secrets have no `@` in their names.
  secretOf = lib.replaceStrings [ "@" ] [ "-" ];
  isCredential = name: name == "dynamic";

  secretsOf =
    name:
    let
      secret = secretOf name;
      common = {
        services = [ name ];
        asCredential = isCredential name;
      };
    in
    lib.mapAttrs' (change: declared: lib.nameValuePair "${secret}-${change}" (common // declared)) (
      {
        mode = lib.optionalAttrs isNext { mode = "0440"; };
        owner = lib.optionalAttrs isNext { owner = "app"; };
        template = lib.optionalAttrs isNext { templates.conf.content = "value = {{ value }}\n"; };
        path = lib.optionalAttrs isNext { secretPath = "hosts/flags/other"; };
        cache = lib.optionalAttrs isNext { cacheDir = "/var/lib/elsewhere/${secret}"; };
      }
      // (if isNext then { added = { }; } else { removed = { }; })
    );

  service =
    name: special:
    let
      secret = secretOf name;
      read = "${secret}-${if isNext then "added" else "mode"}";
    in
    lib.mkMerge [
      (make {
        name = secret;
        file =
          if isCredential name then
            "$CREDENTIALS_DIRECTORY/${read}_value"
          else
            "${secrets.${read}.path}/value";
        reload = name == "reloads";
        # Unread bytes in its pipe would start it again when a switch has stopped it.
        before = lib.optionalString (name == "knocked") ''
          read -r _
        '';
      })
      special
    ];

  # A job, and a service that its socket starts, are at rest when the switch comes.
  atRest = {
    wantedBy = lib.mkForce [ ];
  };
in
{
  imports = [ ./lib/host.nix ];

  options.test.isNext = lib.mkOption {
    type = lib.types.bool;
    default = false;
    description = "Whether this is the next generation.";
  };

  config = {
    networking.hostName = "flags";

    users.groups.app = { };
    users.users.app = {
      isSystemUser = true;
      group = "app";
    };

    vault.secrets = lib.mkMerge (map secretsOf names);

    systemd.services = lib.mapAttrs service (removeAttrs flags [ "crew@one" ]) // {
      "crew@" = lib.mkMerge [
        (service "crew@one" { })
        atRest
      ];
      "crew@one".wantedBy = [ "multi-user.target" ];
      job = lib.mkMerge [
        (service "job" { })
        atRest
        {
          serviceConfig.Type = lib.mkForce "oneshot";
          serviceConfig.ExecStart = lib.mkForce (
            pkgs.writeShellScript "job" "cat ${
              secrets.${if isNext then "job-added" else "job-mode"}.path
            }/value > /run/job/value"
          );
        }
      ];
      knocked = lib.mkMerge [
        (service "knocked" flags.knocked)
        atRest
      ];
    };

    systemd.sockets.knocked = {
      wantedBy = [ "sockets.target" ];
      socketConfig.ListenFIFO = "/run/knocked.fifo";
    };

    systemd.timers.job = {
      wantedBy = [ "timers.target" ];
      timerConfig.OnCalendar = "yearly";
    };
  };
}
