{
  vault.secrets.app = {
    outputDir = "/run/container-web/app";
    services = [ "container@web" ];
  };
  containers.web = {
    autoStart = true;
    # The directory above: each new version of a secret is another directory.
    bindMounts."/run/secrets".hostPath = "/run/container-web";
    config.system.stateVersion = "26.05";
  };
}
