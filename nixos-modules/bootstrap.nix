# vault-bootstrap.service: on first boot, trades the wrapping token of this host for its own
# credentials.
{ config, lib, ... }:
let
  documentation = import ./unit-documentation.nix { inherit config lib; };
  cfg = config.vault;
  unit = import ./unit.nix { inherit config lib; };
  inherit (import ./types.nix { inherit lib; }) absolutePath;

  # The path to which `create-host --deliver ssh` writes a token: a disk never has it.
  delivered = "/run/vault-bootstrap/token";
  files = [ delivered ] ++ lib.optional (cfg.bootstrap.tokenFile != null) cfg.bootstrap.tokenFile;
in
{
  options.vault.bootstrap = {
    enable = lib.mkOption {
      type = lib.types.bool;
      default = true;
      example = false;
      description = ''
        Trade the wrapping token of this host for its AppRole credentials on first boot. The token comes
        from the first of these that exists: `/run/vault-bootstrap/token`, `vault.bootstrap.tokenFile`,
        `vault.bootstrap.credential`, `/etc/environment`. The boot does not wait for it beyond the first
        attempt; if OpenBao is unavailable, it is tried again.
        If you disable it, write `role-id` and `secret-id` to `vault.appRoleDirectory` yourself.
      '';
    };

    tokenFile = lib.mkOption {
      type = lib.types.nullOr absolutePath;
      default = "/var/lib/vault/bootstrap/token";
      example = "/persist/vault-token";
      description = ''
        The file with the wrapping token, which is removed once the token is used. It must survive until
        the first boot: a file below `/run` is gone then. `create-host --deliver extra-files DIR` writes
        the default below `DIR`, for `nixos-anywhere --extra-files DIR`. Home directories are out of reach.
      '';
    };

    credential = lib.mkOption {
      type = lib.types.nullOr (
        lib.types.strMatching "[A-Za-z0-9._-]+" // { description = "name of a systemd credential"; }
      );
      default = "vault.wrapped-token";
      example = null;
      description = ''
        The system credential with the wrapping token, which a virtual machine's SMBIOS or a container's
        manager passes. `create-host --deliver credential FILE` writes the SMBIOS string of the default.
      '';
    };
  };

  config = lib.mkIf (cfg.enable && cfg.bootstrap.enable) {
    systemd.tmpfiles.settings.vault = {
      # Made before the unit, whose sandbox can only open what exists.
      ${cfg.appRoleDirectory}.d.mode = "0700";
      ${dirOf delivered}.d.mode = "0700";
    };

    systemd.services.vault-bootstrap = unit.asking {
      description = "Trade the wrapping token for this host's OpenBao credentials";
      documentation = documentation "vault-unwrap(1)" "runbook/index";
      wantedBy = [ "multi-user.target" ];
      # It writes /etc/environment; the service has another name from cloud-init 24.3 on.
      after = [
        "cloud-init.service"
        "cloud-init-network.service"
      ];
      # A switch does not change what credentials a host has.
      restartIfChanged = false;
      unitConfig.StartLimitIntervalSec = 0;
      # The file is replaced as a whole, in its folder.
      writes = [
        cfg.appRoleDirectory
        "/etc"
      ]
      ++ map dirOf files;
      serviceConfig = {
        ExecStart = lib.escapeShellArgs (
          [
            "${cfg.package}/bin/vault-unwrap"
            "--approle-dir=${cfg.appRoleDirectory}"
            "--approle-mount=${cfg.appRoleMount}"
          ]
          ++ map (file: "--token-file=${file}") files
          ++ lib.optional (cfg.bootstrap.credential != null) "--credential=${cfg.bootstrap.credential}"
          ++ [ "--deadline=30s" ]
        );
        ImportCredential = lib.mkIf (cfg.bootstrap.credential != null) cfg.bootstrap.credential;
        RemainAfterExit = true;
        # Nothing waits for these attempts: the boot goes on after the first.
        Restart = "on-failure";
        RestartSec = "5s";
        RestartSteps = 8;
        RestartMaxDelaySec = "10min";
        TimeoutStartSec = "2min";
        # Credentials that the disk does not take exist in its memory only, until there is room.
        SendSIGKILL = false;
      };
    };
  };
}
