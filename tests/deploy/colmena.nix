{
  nixpkgs,
  colmena,
  zero-touch-secrets,
  ...
}:
{
  colmenaHive = colmena.lib.makeHive {
    meta.nixpkgs = import nixpkgs { system = "x86_64-linux"; };
    defaults.imports = [ zero-touch-secrets.nixosModules.default ];

    db01 = {
      imports = [ ./hosts/db01 ];
      deployment.targetHost = "10.0.0.3";
    };
  };
}
