# A host with followers of a service with a secret, direct ones and others. No copies are kept, so
# that nothing starts while OpenBao cannot be used.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  service = import ./lib/service.nix { inherit lib pkgs; };
  inherit (config.vault) secrets;

  secret = name: {
    services = [ name ];
    restartTrigger = true;
    cacheDir = null;
  };

  # Starts after `unit`, and neither without it nor when its start fails.
  requiring = unit: {
    requires = [ unit ];
    after = [ unit ];
  };

  # Is stopped with `unit`, however that ends.
  boundTo = unit: {
    bindsTo = [ unit ];
    after = [ unit ];
  };

  wanted = {
    wantedBy = [ "multi-user.target" ];
  };

  plain = {
    serviceConfig.ExecStart = "${pkgs.coreutils}/bin/sleep infinity";
  };
in
{
  imports = [ ./lib/host.nix ];

  networking.hostName = "chain";

  vault.secrets = {
    db = secret "base";
    token = secret "near";
    tls = secret "far";
  };

  systemd.services = {
    base = service {
      name = "base";
      file = "${secrets.db.path}/password";
    };
    near = lib.mkMerge [
      (service {
        name = "near";
        file = "${secrets.token.path}/value";
      })
      (requiring "base.service")
    ];
    far = lib.mkMerge [
      (service {
        name = "far";
        file = "${secrets.tls.path}/key";
      })
      (boundTo "near.service")
    ];
    # Without a secret of their own.
    plain = plain // wanted // requiring "base.service";
    bound = plain // wanted // boundTo "plain.service";
    tail = plain // wanted // requiring "far.service";
    member = plain // requiring "base.service" // { wantedBy = [ "crew.target" ]; };
    lone = plain // wanted // requiring "base.service";
    # Nobody wants it.
    idle = plain // requiring "base.service";
    tick = plain;
    knock = plain;
  };

  systemd.targets.crew = wanted // requiring "base.service";

  systemd.timers.tick = boundTo "plain.service" // {
    wantedBy = [ "timers.target" ];
    timerConfig.OnActiveSec = "1d";
  };

  systemd.sockets.knock =
    wanted
    // requiring "base.service"
    // {
      # Sockets come before all services, unless they say otherwise.
      unitConfig.DefaultDependencies = false;
      listenStreams = [ "/run/knock.sock" ];
    };
}
