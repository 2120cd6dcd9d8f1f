# `Documentation=` of a unit: a manual page, and a page of `docs/` where `vault.documentationUrl`
# says where those are.
{ config, lib }:
manual: page:
let
  inherit (config.vault) documentationUrl;
  # systemd expands `%`.
  url = lib.replaceStrings [ "{page}" "%" ] [ page "%%" ] documentationUrl;
in
[ "man:${manual}" ] ++ lib.optional (documentationUrl != null) url
