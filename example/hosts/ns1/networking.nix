# The name and the address of ns1.
{
  networking = {
    hostName = "ns1";
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
    address = [ "10.0.0.2/24" ];
    gateway = [ "10.0.0.1" ];
  };
}
