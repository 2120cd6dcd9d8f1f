{ config, ... }:
{
  vault.secrets.shop = {
    owner = "shop";
    services = [ "phpfpm-shop" ];
  };
  users.users.shop = {
    isSystemUser = true;
    group = "shop";
  };
  users.groups.shop = { };
  services.phpfpm.pools.shop = {
    user = "shop";
    settings = {
      "pm" = "ondemand";
      "pm.max_children" = 8;
    };
    phpEnv.DATABASE_PASSWORD_FILE = "${config.vault.secrets.shop.path}/database_password";
  };
}
