# The reference of the modules' options in Markdown, from their own descriptions. An option without
# description or example is an error.
{
  lib,
  options,
  root,
}:
let
  inherit (lib) concatMapStrings concatStringsSep filter;

  documented = filter (option: option.visible && !option.internal) (
    lib.optionAttrSetToDocList options.vault
  );

  isEmpty = text: text == null || text == "";
  incomplete =
    filter (option: isEmpty (option.description or null)) documented
    ++ filter (option: !option ? example) documented;

  # The sections, in the order in which a reader needs them; the rest is of the host.
  areas = {
    "Each secret" = [ "vault.secrets" ];
    "Files of several secrets" = [ "vault.templates" ];
    "Rotation" = [
      "vault.rotation"
      "vault.watch"
    ];
    "TLS" = [ "vault.tls" ];
    "Metrics" = [ "vault.metrics" ];
    "Snapshots" = [ "vault.snapshots" ];
    "The server" = [ "vault.server" ];
  };
  order = [
    "Each secret"
    "Files of several secrets"
    "The host"
    "Rotation"
    "TLS"
    "Metrics"
    "Snapshots"
    "The server"
  ];
  areaOf =
    option:
    let
      isWithin = prefix: option.name == prefix || lib.hasPrefix "${prefix}." option.name;
    in
    lib.findFirst (area: lib.any isWithin areas.${area}) "The host" (lib.attrNames areas);
  byArea = lib.groupBy areaOf documented;

  # A value as it is written in Nix, or a text about it.
  value =
    what: rendered:
    let
      text = lib.trim rendered.text;
    in
    if rendered._type == "literalMD" then
      "*${what}:* ${text}\n"
    else if lib.hasInfix "\n" text then
      "*${what}:*\n\n```nix\n${text}\n```\n"
    else
      "*${what}:* `${text}`\n";

  # `nixos-modules/secrets.nix`; no link, because the book has no sources.
  source =
    declaration: "`${lib.removePrefix "/" (lib.removePrefix (toString root) (toString declaration))}`";

  entry =
    option:
    concatStringsSep "\n" (
      [
        "### `${option.name}`\n"
        "${lib.trim option.description}\n"
        # a pattern's brackets are no link
        "*Type:* ${lib.replaceStrings [ "[" ] [ "\\[" ] option.type}\n"
      ]
      ++ lib.optional (option ? default) (value "Default" option.default)
      ++ [ (value "Example" option.example) ]
      ++ lib.optional option.readOnly "*Read only.*\n"
      ++ [ "*Declared in:* ${concatStringsSep ", " (map source option.declarations)}\n\n" ]
    );
in
if incomplete != [ ] then
  throw "without description or example: ${
    concatStringsSep ", " (map (option: option.name) incomplete)
  }"
else
  builtins.unsafeDiscardStringContext ''
    # Options

    The options that `nixosModules.default`, `server` and `metrics` declare. `tests/units/render` generates
    this page; change the modules instead.

    ${concatMapStrings (area: "## ${area}\n\n${concatMapStrings entry byArea.${area}}") order}''
