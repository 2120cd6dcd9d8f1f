# A host of somebody who reads README.
{ lib, ... }:
{
  networking.hostName = "web01";
  nixpkgs.hostPlatform = "x86_64-linux";
  boot.loader.grub.device = "/dev/vda";
  fileSystems."/" = {
    device = "/dev/disk/by-label/nixos";
    fsType = "ext4";
  };
  services.grafana = {
    enable = true;
    settings.smtp.enabled = true;
  };
  system.stateVersion = lib.trivial.release;
}
