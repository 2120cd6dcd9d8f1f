# The address of this project's pages, for units and alerts.
{ lib, ... }:
let
  inherit (lib) types;
in
{
  options.vault.documentationUrl = lib.mkOption {
    type = types.nullOr (
      types.strMatching "https?://[^[:space:]{}]*[{]page[}][^[:space:]{}]*"
      // {
        description = "address of a page, with {page} in place of its name";
      }
    );
    default = null;
    example = "https://wiki.example.internal/openbao/{page}.html";
    description = ''
      The address of your copy of this project's `docs/`, with `{page}` in place of a page's path
      without its ending, such as `runbook/no-cache`. `mdbook build docs` makes a site of them. The
      units name their page in `Documentation=`, which `systemctl status` shows, and alerts have the
      address in `runbook_url`. With `null`, units name their manual pages only, and alerts name the
      page by its path in the project, which is not an address.
    '';
  };
}
