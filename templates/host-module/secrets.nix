# The secrets of a host: import it beside `zero-touch-secrets.nixosModules.default`.
#
#     $ bao kv put -mount=secret hosts/<hostname>/app password=…
{ config, ... }:
{
  vault.enable = true;
  # The address of OpenBao, if the host's VAULT_ADDR does not have it:
  # vault.address = "https://openbao.example.internal:8200";

  # /run/secrets/app/password, written before the service starts. A new version is deployed on a
  # timer, and rolled back if the service does not come up with it.
  vault.secrets.app = {
    services = [ "app" ];
    requiredKeys = [ "password" ];
    restartTrigger = true;
  };

  # The service, which may be one of NixOS: services.postgresql, services.nginx …
  systemd.services.app = {
    wantedBy = [ "multi-user.target" ];
    # systemd hands the file to the service, whose user may not read it.
    serviceConfig = {
      LoadCredential = "password:${config.vault.secrets.app.path}/password";
      DynamicUser = true;
    };
    script = "exec sleep infinity";
  };
}
