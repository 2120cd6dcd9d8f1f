# The name and the address of @hostname@.
{
  networking = {
    hostName = "@hostname@";
    domain = "@domain@";
    nameservers = [
      "@nameservers@"
    ];
  };

  systemd.network.networks."10-lan" = {
    # The Ethernet interface, whatever its name; bridges and tunnels, which are of some kind, are
    # not meant. A host with two interfaces names them: `matchConfig.Name = "ens18"`.
    matchConfig = {
      Type = "ether";
      Kind = "!*";
    };
    address = [ "@ip@" ];
    gateway = [ "@gateway@" ];
  };
}
