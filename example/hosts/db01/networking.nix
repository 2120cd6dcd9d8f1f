# The name and the address of db01.
{
  networking = {
    hostName = "db01";
    domain = "example.internal";
    nameservers = [
      "10.0.0.1"
    ];
  };

  systemd.network.networks."10-lan" = {
    # The Ethernet interface, whatever its name; bridges and tunnels, which are of some kind, are
    # not meant. A host with two interfaces names them: `matchConfig.Name = "ens18"`.
    matchConfig = {
      Type = "ether";
      Kind = "!*";
    };
    address = [ "10.0.0.3/24" ];
    gateway = [ "10.0.0.1" ];
  };
}
