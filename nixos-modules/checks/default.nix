# Faults that would appear on the host, reported at evaluation by the names of the options.
{
  imports = [
    ./connection.nix
    ./contents.nix
    ./early.nix
    ./links.nix
    ./names.nix
    ./places.nix
    ./services.nix
    ./sources.nix
    ./templates.nix
  ];
}
