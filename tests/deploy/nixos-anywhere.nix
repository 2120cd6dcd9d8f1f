{
  nixpkgs,
  disko,
  zero-touch-secrets,
  ...
}:
{
  nixosConfigurations.db01 = nixpkgs.lib.nixosSystem {
    modules = [
      disko.nixosModules.disko
      zero-touch-secrets.nixosModules.default
      ./hosts/db01
      {
        disko.devices.disk.main = {
          device = "/dev/vda";
          content.type = "gpt";
          content.partitions.boot = {
            size = "1M";
            type = "EF02";
          };
          content.partitions.root = {
            size = "100%";
            content = {
              type = "filesystem";
              format = "ext4";
              mountpoint = "/";
            };
          };
        };
        # disko names the disk for GRUB, too, because of EF02.
        boot.loader.grub.device = nixpkgs.lib.mkForce "";
        # In place of cloud-init's:
        vault.address = "https://openbao.example.internal:8200";
        services.cloud-init.enable = nixpkgs.lib.mkForce false;
      }
    ];
  };
}
