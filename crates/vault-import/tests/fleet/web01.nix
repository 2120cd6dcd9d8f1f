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
