# What db01 runs. Services, users and packages go here.
{
  # `bao kv put -mount=secret hosts/db01/replication password=…` becomes
  # /run/secrets/replication/pgpass before PostgreSQL starts, which reads it at each connection.
  vault.secrets.replication = {
    owner = "postgres";
    group = "postgres";
    services = [ "postgresql" ];
    templates.pgpass.content = "*:*:replication:replicator:{{ password }}";
    restartTrigger = true;
    onChange = "nothing";
  };

  services.postgresql.enable = true;

  users.users.root.openssh.authorizedKeys.keys = [
    # "ssh-ed25519 AAAA… you@example.internal"
  ];

  # The release this host was installed with; it stays when the host is updated.
  system.stateVersion = "26.05";
}
