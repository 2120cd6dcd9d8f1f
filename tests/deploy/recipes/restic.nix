{ config, ... }:
{
  vault.secrets.backup = {
    templates.env.content = ''
      AWS_ACCESS_KEY_ID={{ access_key }}
      AWS_SECRET_ACCESS_KEY={{ secret_key }}
    '';
    services = [ "restic-backups-daily" ];
  };
  services.restic.backups.daily = {
    repository = "s3:https://s3.example.org/web01";
    passwordFile = "${config.vault.secrets.backup.path}/password";
    environmentFile = "${config.vault.secrets.backup.path}/env";
    paths = [ "/var/lib" ];
  };
}
