{ config, ... }:
{
  vault.secrets.dns = {
    environmentFile = "env";
    services = [ "acme-order-renew-example.org" ]; # up to NixOS 25.05: acme-example.org
  };
  security.acme = {
    acceptTerms = true;
    defaults.email = "admin@example.org";
    certs."example.org" = {
      dnsProvider = "cloudflare";
      environmentFile = "${config.vault.secrets.dns.path}/env";
    };
  };
}
