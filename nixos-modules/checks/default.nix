# What would go wrong on the host, said when its configuration is evaluated, by the user's own names.
{
  imports = [
    ./connection.nix
    ./contents.nix
    ./names.nix
    ./places.nix
    ./services.nix
  ];
}
