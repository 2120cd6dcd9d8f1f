{
  imports = [
    ../common.nix
    ./configuration.nix
    ./networking.nix
  ];
}
