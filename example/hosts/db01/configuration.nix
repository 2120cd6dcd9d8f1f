# The configuration of db01: its services, users and packages.
{ config, ... }:
{
  # `bao kv put -mount=secret hosts/db01/redis password=…` becomes /run/secrets/redis/password
  # before Redis starts. A rotation looks for a new password every hour and restarts Redis with it.
  # If Redis does not come up, it gets the previous one back.
  vault.secrets.redis = {
    services = [ "redis-app" ];
    requiredKeys = [ "password" ];
    restartTrigger = true;
  };

  services.redis.servers.app = {
    enable = true;
    requirePassFile = "${config.vault.secrets.redis.path}/password";
  };

  users.users.root.openssh.authorizedKeys.keys = [
    # "ssh-ed25519 AAAA… you@example.internal"
  ];

  # The release this host was installed with; it stays when the host is updated.
  system.stateVersion = "26.05";
}
