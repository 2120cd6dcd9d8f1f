{
  description = "A fleet whose hosts get their secrets from OpenBao";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
    zero-touch-secrets = {
      url = "path:.."; # in a repository of your own: the address that you got this template from
      inputs.nixpkgs.follows = "nixpkgs";
    };
  };

  outputs =
    { nixpkgs, zero-touch-secrets, ... }:
    let
      # A host of the fleet: its folder says all the rest.
      mkHost =
        hostname:
        nixpkgs.lib.nixosSystem {
          modules = [
            zero-touch-secrets.nixosModules.default
            (./hosts + "/${hostname}")
          ];
        };
    in
    {
      nixosConfigurations = {
        db01 = mkHost "db01";
        image = mkHost "image"; # what new machines are made from
        ns1 = mkHost "ns1";
      };
    };
}
