{ config, ... }:
{
  vault.secrets.wg0.services = [ "wg-quick-wg0" ];
  networking.wg-quick.interfaces.wg0 = {
    address = [ "10.8.0.2/24" ];
    privateKeyFile = "${config.vault.secrets.wg0.path}/private_key";
    peers = [
      {
        publicKey = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
        endpoint = "vpn.example.org:51820";
        allowedIPs = [ "10.8.0.0/24" ];
      }
    ];
  };
}
