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

  ofSecret = option: lib.hasPrefix "vault.secrets.<name>." option.name;

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

  # `../nixos-modules/secrets.nix`, as a link from docs/.
  source =
    declaration:
    let
      path = lib.removePrefix "/" (lib.removePrefix (toString root) (toString declaration));
    in
    "[${path}](../${path})";

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

    The options that `nixosModules.default` declares. `tests/units/render` generates this page; change the
    modules instead.

    ## The host

    ${concatMapStrings entry (filter (option: !ofSecret option) documented)}## Each secret

    ${concatMapStrings entry (filter ofSecret documented)}''
