{ config, ... }:
{
  networking.hostName = "web01";

  sops = {
    defaultSopsFile = ../../secrets/web01.yaml;
    age.keyFile = "/var/lib/sops/key.txt";
  };

  # the application's own
  sops.secrets."app/password" = {
    owner = "app";
    group = "app";
    restartUnits = [ "app.service" ];
  };
  sops.secrets."app/user" = {
    owner = "app";
    group = "app";
    restartUnits = [ "app.service" ];
  };
  sops.secrets.smtp.path = "/etc/smtp-password";
  vault.secrets.app = {
    owner = "app";
    group = "app";
    requiredKeys = [
      "password"
      "user"
    ];
    services = [ "app" ];
    restartTrigger = true;
  };
  vault.secrets."app.env" = {
    requiredKeys = [ "value" ];
  };
  vault.secrets.key = {
    mode = "0440";
    requiredKeys = [ "value" ];
    encoding.value = "base64";
    services = [ "tls" ];
    restartTrigger = true;
    onChange = "reload";
  };
  vault.secrets.smtp = {
    requiredKeys = [ "value" ];
  };
  vault.secrets.wifi = {
    requiredKeys = [ "value" ];
  };
  sops.secrets.root.neededForUsers = true;
  sops.secrets.key = {
    format = "binary";
    sopsFile = ../../secrets/key.bin;
    mode = "440";
    reloadUnits = [ "tls.service" ];
  };
  sops.secrets."app.env" = {
    format = "dotenv";
    sopsFile = ../../secrets/app.env;
  };

  age.secrets.wifi.file = ../../secrets/wifi.age;

  systemd.services.app.serviceConfig.ExecStart =
    "app --password-file ${config.sops.secrets."app/password".path}";
  systemd.services.wifi.script = ''
    read -r PASSWORD < ${config.age.secrets.wifi.path}
  '';
}
