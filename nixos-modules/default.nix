# Secrets from OpenBao on a NixOS host: `vault.secrets.<name>` becomes files under
# /run/secrets/<name>/ before the services that need them start. One file per concern.
{ lib, ... }:
{
  meta.maintainers = import ../nix/maintainers.nix { inherit lib; };

  imports = [
    ./authorities.nix
    ./bootstrap.nix
    ./calendars.nix
    ./checks
    ./cleanup.nix
    ./connection.nix
    ./declarations.nix
    ./fetch-all.nix
    ./fetch.nix
    ./kubernetes.nix
    ./metrics
    ./prove.nix
    ./rebuild.nix
    ./rotation.nix
    ./secrets.nix
    ./services.nix
    ./setup.nix
    ./switch.nix
    ./templates.nix
    ./textfile.nix
    ./watch.nix
  ];
}
