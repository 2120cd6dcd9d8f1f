{
  nixpkgs,
  colmena,
  zero-touch-secrets,
  ...
}:
let
  inherit (nixpkgs) lib;
  isHost = name: kind: kind == "directory" && name != "template" && name != "image";
  hosts = lib.attrNames (lib.filterAttrs isHost (builtins.readDir ./hosts));
in
{
  colmenaHive = colmena.lib.makeHive (
    {
      meta.nixpkgs = import nixpkgs { system = "x86_64-linux"; };
      defaults.imports = [ zero-touch-secrets.nixosModules.default ];
    }
    // lib.genAttrs hosts (host: {
      imports = [ (./hosts + "/${host}") ];
      deployment.targetHost = "${host}.example.internal";
    })
  );
}
