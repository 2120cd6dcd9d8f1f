# Secrets from OpenBao on a NixOS host: `vault.secrets.<name>` becomes files under
# /run/secrets/<name>/ before the services that need them start. One file per concern.
{
  imports = [
    ./authorities.nix
    ./bootstrap.nix
    ./checks
    ./connection.nix
    ./declarations.nix
    ./fetch.nix
    ./kubernetes.nix
    ./metrics
    ./rebuild.nix
    ./rotation.nix
    ./secrets.nix
    ./services.nix
    ./setup.nix
    ./textfile.nix
  ];
}
