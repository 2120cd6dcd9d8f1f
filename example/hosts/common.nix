# The common part of all hosts of this fleet: a virtual machine that is reached over SSH, and gets
# its wrapping token and OpenBao's address from cloud-init.
{ lib, modulesPath, ... }:
{
  imports = [ (modulesPath + "/profiles/qemu-guest.nix") ];

  nixpkgs.hostPlatform = lib.mkDefault "x86_64-linux";

  boot = {
    growPartition = true;
    loader.grub.device = lib.mkDefault "/dev/vda";
  };
  fileSystems."/" = {
    device = lib.mkDefault "/dev/disk/by-label/nixos";
    fsType = "ext4";
    autoResize = true;
  };

  # Only the wrapping token comes from cloud-init; addresses and names are declared here.
  services.cloud-init = {
    enable = true;
    network.enable = false;
    settings = {
      preserve_hostname = true;
      # After `create-host --force` a host is a new instance to cloud-init, but the same to those
      # who log in. Missing keys are made by sshd's own unit.
      ssh_deletekeys = false;
    };
  };

  # Secrets are declared where they are used: `vault.secrets.<name>`.
  vault.enable = true;

  services.openssh = {
    enable = true;
    settings = {
      KbdInteractiveAuthentication = false;
      PasswordAuthentication = false;
      PermitRootLogin = "prohibit-password";
    };
  };

  networking = {
    useDHCP = false;
    useNetworkd = true;
  };
}
