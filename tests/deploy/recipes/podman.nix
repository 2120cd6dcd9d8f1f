{ config, ... }:
{
  vault.secrets.app = {
    templates.env.content = ''
      PASSWORD={{ password }}
    '';
    services = [ "podman-app" ];
    restartTrigger = true;
  };
  virtualisation.oci-containers = {
    backend = "podman";
    containers.app = {
      image = "registry.example.org/app:1";
      environmentFiles = [ "${config.vault.secrets.app.path}/env" ];
    };
  };
}
