# The image of new machines, one for all hosts. On first boot it trades the wrapping token that
# cloud-init brought, and becomes the host that cloud-init names, by `nixos-rebuild boot` of the
# fleet's flake and a reboot. The credentials stay in /var/lib/vault.
{ lib, ... }:
{
  imports = [ ../common.nix ];

  networking = {
    hostName = "image";
    useDHCP = lib.mkForce true; # until it is somebody
  };

  # Its name and address are cloud-init's to tell.
  services.cloud-init = {
    network.enable = lib.mkForce true;
    settings.preserve_hostname = lib.mkForce false;
  };

  vault.bootstrap.rebuild = {
    enable = true;
    # A made-up address: put your fleet's here.
    flake = "git+https://git.example.internal/fleet.git";
  };

  system.stateVersion = "26.05";
}
