# The build has systemd-analyze read each calendar expression: one that only looks valid fails the
# build rather than the timer.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (import ./types.nix { inherit lib; }) calendar;
in
{
  options.vault.calendars = lib.mkOption {
    type = lib.types.listOf calendar;
    default = [ ];
    internal = true;
    description = "The calendar expressions of this host's timers.";
  };

  config.system.checks = lib.optional (config.vault.calendars != [ ]) (
    pkgs.runCommand "vault-calendar-expressions" { nativeBuildInputs = [ config.systemd.package ]; } ''
      systemd-analyze calendar ${lib.escapeShellArgs (lib.unique config.vault.calendars)} > $out
    ''
  );
}
