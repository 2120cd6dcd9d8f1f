# A machine that a scenario seeds, as a provider's metadata does: machines.py leaves the seed in the
# folder that the test's driver shares with all machines.
{ config, ... }:
{
  services.cloud-init = {
    enable = true;
    network.enable = false;
    settings = {
      datasource_list = [
        "NoCloud"
        "None"
      ];
      preserve_hostname = true;
      ssh_deletekeys = false;
    };
  };

  systemd.tmpfiles.settings.seed."/var/lib/cloud/seed/nocloud"."L+".argument =
    "/tmp/shared/seed-${config.networking.hostName}";
}
