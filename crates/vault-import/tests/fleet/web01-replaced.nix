{ config, ... }:
{
  networking.hostName = "web01";

  sops = {
    defaultSopsFile = ../../secrets/web01.yaml;
    age.keyFile = "/var/lib/sops/key.txt";
  };

  vault.secrets.smtp.links."/etc/smtp-password" = "value";
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

  systemd.services.app.serviceConfig.ExecStart =
    "app --password-file ${config.vault.secrets.app.path}/password";
  systemd.services.wifi.script = ''
    read -r PASSWORD < ${config.vault.secrets.wifi.path}/value
  '';
}
