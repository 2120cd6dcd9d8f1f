# What db01 runs. Services, users and packages go here.
{ config, ... }:
{
  # `bao kv put -mount=secret hosts/db01/redis password=…` becomes /run/secrets/redis/password before
  # Redis starts. A new password is looked for every hour; Redis is then restarted, and gets the
  # previous one back if it does not come up.
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
