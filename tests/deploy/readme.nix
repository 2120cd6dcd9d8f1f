{
  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
    zero-touch-secrets.url = "git+https://git.example.org/zero-touch-secrets";
    zero-touch-secrets.inputs.nixpkgs.follows = "nixpkgs";
  };

  outputs =
    { nixpkgs, zero-touch-secrets, ... }:
    {
      nixosConfigurations.web01 = nixpkgs.lib.nixosSystem {
        modules = [
          ./configuration.nix
          zero-touch-secrets.nixosModules.default
          {
            vault.enable = true;
            vault.address = "https://openbao.example.internal:8200";
            vault.tls.caCertificate = ./openbao-ca.pem;
            vault.secrets.smtp.owner = "grafana"; # /run/secrets/smtp/<key>
            vault.secrets.smtp.services = [ "grafana" ]; # it starts with the files there
            vault.secrets.smtp.restartTrigger = true; # and restarts for a new version
          }
        ];
      };
    };
}
