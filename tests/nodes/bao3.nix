# A node of the cluster that bao1 initialises and unseals. It takes the cluster's snapshots, on its
# own disk for want of another, and drills.
{
  imports = [ ./lib/node.nix ];
  networking.hostName = "bao3";

  # The scenario brings what /etc/snapshots holds, and does not wait for timers.
  vault.snapshots = {
    enable = true;
    directories = [ "/srv/snapshots" ];
    sameDisk = true;
    schedule = "yearly";
    auth.roleIdFile = "/etc/snapshots/saver/role-id";
    auth.secretIdFile = "/etc/snapshots/saver/secret-id";
    keep = {
      hourly = 0;
      last = 2;
    };
    drill = {
      enable = true;
      schedule = "yearly";
      keyFiles = [ "/etc/snapshots/key" ];
      approle.roleIdFile = "/etc/snapshots/reader/role-id";
      approle.secretIdFile = "/etc/snapshots/reader/secret-id";
    };
  };
}
