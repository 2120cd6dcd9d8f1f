{ config, ... }:
{
  vault.secrets.db = {
    owner = "postgres";
    services = [ "postgresql-role-app" ];
    restartTrigger = true;
  };
  services.postgresql = {
    enable = true;
    ensureUsers = [ { name = "app"; } ];
  };
  systemd.services.postgresql-role-app = {
    wantedBy = [ "multi-user.target" ];
    requires = [ "postgresql.service" ];
    after = [
      "postgresql.service"
      "postgresql.target" # from NixOS 25.11 on, the roles exist after this one
    ];
    serviceConfig = {
      Type = "oneshot";
      RemainAfterExit = true;
      User = "postgres";
    };
    # psql reads the file itself, so that the password is in no argument.
    script = ''
      ${config.services.postgresql.package}/bin/psql --no-psqlrc --set=ON_ERROR_STOP=1 <<'END'
      \set password `cat ${config.vault.secrets.db.path}/password`
      ALTER ROLE app PASSWORD :'password';
      END
    '';
  };
}
