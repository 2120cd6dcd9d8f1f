{ config, ... }:
{
  vault.secrets.grafana = {
    owner = "grafana";
    services = [ "grafana" ];
    restartTrigger = true;
  };
  services.grafana = {
    enable = true;
    settings.security.secret_key = "$__file{${config.vault.secrets.grafana.path}/secret_key}";
    settings.smtp = {
      enabled = true;
      password = "$__file{${config.vault.secrets.grafana.path}/smtp_password}";
    };
  };
}
