# A machine made from one image for all hosts: on first boot it becomes the host that cloud-init
# names, by `nixos-rebuild boot` and a reboot. See hosts/image.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.vault;
  inherit (cfg.bootstrap) rebuild;

  # A host that is not in the flake yet, or a flake that cannot be reached, is tried again.
  become = pkgs.writeShellApplication {
    name = "vault-rebuild";
    runtimeInputs = [
      config.nix.package
      pkgs.cloud-init
      config.system.build.nixos-rebuild
      config.systemd.package
      pkgs.gitMinimal
    ];
    text = ''
      hostname=$(cloud-init query local_hostname)
      case $hostname in
        "" | *[!a-z0-9-]* | ${lib.escapeShellArg config.networking.hostName})
          echo "error: cloud-init names no host: its local-hostname is \`$hostname\`" >&2
          exit 1
          ;;
      esac
      nixos-rebuild boot --flake ${lib.escapeShellArg rebuild.flake}"#$hostname"
      systemctl --no-block reboot
    '';
  };
in
{
  options.vault.bootstrap.rebuild = {
    enable = lib.mkEnableOption "becoming the host that cloud-init names, on first boot";

    flake = mkOption {
      type = types.strMatching "[^#]+" // {
        description = "flake reference without #";
      };
      example = "git+https://git.example.internal/fleet.git";
      description = ''
        The flake with `nixosConfigurations.<hostname>`, in the form of `nixos-rebuild --flake` without `#`.
        The machine must be able to read it.
      '';
    };
  };

  config = lib.mkIf (cfg.enable && rebuild.enable) {
    systemd.services.vault-rebuild = {
      description = "Become the host that cloud-init names";
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      # The token is traded first: the host that comes of this finds its credentials.
      after = [
        "network-online.target"
        "vault-bootstrap.service"
        "cloud-init.service"
        "cloud-init-network.service"
      ];
      restartIfChanged = false;
      unitConfig.StartLimitIntervalSec = 0;
      environment.HOME = "/root"; # where git and Nix look for what lets them read the flake
      serviceConfig = {
        Type = "oneshot";
        ExecStart = lib.getExe become;
        Restart = "on-failure";
        RestartSec = "10s";
        RestartSteps = 8;
        RestartMaxDelaySec = "10min";
      };
    };
  };
}
