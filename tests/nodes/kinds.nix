# A host with services that take versions in different ways: two that share a secret, one that
# systemd starts again after a failure, one that ends by itself and is started again, one that a
# socket starts, one that a timer starts, and two that may hang before they are up.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  service = import ./lib/service.nix { inherit lib pkgs; };
  inherit (config.vault) secrets;

  secret = service: {
    services = [ service ];
    restartTrigger = true;
  };
  hang = ''
    case "$value" in hang*) exec sleep infinity ;; esac
  '';
in
{
  imports = [ ./lib/host.nix ];

  networking.hostName = "kinds";
  # Two of the services have none of their own.
  vault.rotation.startTimeout = "20s";

  vault.secrets = {
    db = {
      services = [
        "app"
        "report"
      ];
      restartTrigger = true;
    };
    zone = secret "guard";
    tick = secret "loop";
    door = secret "door";
    slow = secret "slow";
    data = secret "import";
    job = secret "job";
  };

  systemd.services = {
    # Comes up when the scenario lets it.
    app = service {
      name = "app";
      file = "${secrets.db.path}/value";
      before = ''
        while [ -e /run/app/hold ]; do sleep 0.1; done
      '';
    };
    report = lib.mkMerge [
      (service {
        name = "report";
        file = "${secrets.db.path}/value";
      })
      { wants = [ "helper.service" ]; }
    ];
    helper.serviceConfig.ExecStart = "${pkgs.coreutils}/bin/sleep infinity";
    guard = lib.mkMerge [
      (service {
        name = "guard";
        file = "${secrets.zone.path}/value";
      })
      {
        serviceConfig.Restart = "on-failure";
        serviceConfig.RestartSec = "500ms";
      }
    ];
    loop = {
      description = "Works for a second, and is started again";
      wantedBy = [ "multi-user.target" ];
      unitConfig.StartLimitIntervalSec = 0;
      serviceConfig = {
        Type = "exec";
        RuntimeDirectory = "loop";
        RuntimeDirectoryPreserve = true;
        Restart = "always";
        RestartSec = "500ms";
        ExecStart = pkgs.writeShellScript "loop-start" ''
          value=$(cat ${secrets.tick.path}/value) || exit 1
          echo started >> /run/loop/starts
          [ "$value" != bad ] || exit 1
          printf %s "$value" > /run/loop/value
          sleep 1
        '';
      };
    };
    door = lib.mkMerge [
      (service {
        name = "door";
        file = "${secrets.door.path}/value";
        # The client of the socket waits until the service is up.
        before = ''
          read -r _
        '';
      })
      {
        wantedBy = lib.mkForce [ ];
        serviceConfig.StandardInput = "fd:door.socket";
      }
    ];
    slow = lib.mkMerge [
      (service {
        name = "slow";
        file = "${secrets.slow.path}/value";
        before = hang;
      })
      { serviceConfig.TimeoutStartSec = "infinity"; }
    ];
    import = {
      description = "Imports, and is done";
      wantedBy = [ "multi-user.target" ];
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        RuntimeDirectory = "import";
        RuntimeDirectoryPreserve = true;
        ExecStart = pkgs.writeShellScript "import-start" ''
          value=$(cat ${secrets.data.path}/value) || exit 1
          echo started >> /run/import/starts
          [ "$value" != bad ] || exit 1
          ${hang}printf %s "$value" > /run/import/value
        '';
      };
    };
    job = {
      description = "Works, and is done until its timer starts it again";
      unitConfig.StartLimitIntervalSec = 0;
      serviceConfig = {
        Type = "oneshot";
        RuntimeDirectory = "job";
        RuntimeDirectoryPreserve = true;
        ExecStart = pkgs.writeShellScript "job-start" ''
          value=$(cat ${secrets.job.path}/value) || exit 1
          echo started >> /run/job/starts
          [ "$value" != bad ] || exit 1
          ${hang}printf %s "$value" > /run/job/value
        '';
      };
    };
  };

  systemd.timers.job = {
    wantedBy = [ "timers.target" ];
    timerConfig.OnActiveSec = "1d";
  };

  systemd.sockets.door = {
    wantedBy = [ "sockets.target" ];
    socketConfig.ListenFIFO = "/run/door.fifo";
  };
}
