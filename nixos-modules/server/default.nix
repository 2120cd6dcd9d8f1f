# An OpenBao server on NixOS, one node or several: on top of services.openbao, with certificates,
# initialisation, unsealing, an audit log and a safe way to restart. One file per concern.
{ lib, ... }:
{
  meta.maintainers = import ../../nix/maintainers.nix { inherit lib; };

  imports = [
    ../calendars.nix
    ../metrics
    ./audit.nix
    ./certificates.nix
    ./checks.nix
    ./cluster.nix
    ./initialisation.nix
    ./openbao.nix
    ./restart.nix
    ./seal.nix
    ./snapshots.nix
    ./snapshots-checks.nix
    ./unseal.nix
  ];
}
