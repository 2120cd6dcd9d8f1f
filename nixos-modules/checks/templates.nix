# Checks of templates over several secrets.
{ config, lib, ... }:
let
  inherit (lib) concatMap optional;
  cfg = config.vault;
  inherit (import ./tools.nix { inherit config lib; })
    option
    optionOfTemplate
    perTemplate
    quoted
    refuse
    ;
  placeholders = import ../placeholders.nix { inherit lib; };

  filters = [
    "base64"
    "base64decode"
    "json"
    "url"
  ];

  named =
    name: template:
    let
      where = optionOfTemplate name;
    in
    refuse (builtins.match "[A-Za-z0-9][A-Za-z0-9_.-]*" name == null)
      "${where}: a template's name becomes the name of a unit and a directory: letters, digits, `_`, `.` and `-` only, a letter or digit first. Another name of the file is for ${where}.file to say."
    ++ refuse (lib.elem template.file [
      "."
      ".."
    ]) "${where}.file is `${template.file}`: it must be a plain file name.";

  isNumber = text: builtins.match "[0-9]+" text != null;
  owned =
    name: template:
    let
      where = optionOfTemplate name;
      inherit (template) group owner;
    in
    refuse (
      !isNumber owner && !config.users.users ? ${owner}
    ) "${where}.owner is `${owner}`, and this host has no such user. Declare `users.users.${owner}`."
    ++ refuse (
      !isNumber group && !config.users.groups ? ${group}
    ) "${where}.group is `${group}`, and this host has no such group. Declare `users.groups.${group}`.";

  written =
    name: template:
    let
      where = optionOfTemplate name;
    in
    refuse (
      (template.content == null) == (template.source == null)
    ) "${where} needs either `content` or `source`, and not both."
    ++
      refuse (!placeholders.isWhole template.text)
        "${where} has `{{` without a placeholder such as `{{ db.password }}` behind it, on the same line. Text with braces is `{{ \"{{\" }}`.";

  # The files in a secret's directory that are no keys.
  made =
    secret:
    lib.attrNames secret.templates
    ++ optional (secret.environmentFile != null) secret.environmentFile
    ++ optional (secret.jsonFile != null) secret.jsonFile;

  declared = lib.attrNames cfg.secrets;
  found =
    if declared == [ ] then
      "and no secrets are declared."
    else
      "which begins with the name of no declared secret; there are ${quoted declared}.";

  filled =
    name: template:
    let
      where = optionOfTemplate name;
    in
    concatMap (
      one:
      let
        inherit (one) filter key placeholder;
        secret = cfg.secrets.${one.secret};
      in
      refuse (one.secret == null) "${where} has `{{ ${placeholder} }}`, ${found}"
      ++ refuse (
        filter != null && !lib.elem filter filters
      ) "${where}: `${filter}` is not a filter; there are ${quoted filters}, one for a placeholder."
      ++ lib.optionals (one.secret != null) (
        refuse (lib.hasPrefix "\"" key) "${where} has `{{ ${placeholder} }}`: a key is written without quotes."
        ++ refuse (lib.elem key (made secret)) "${where} has `{{ ${placeholder} }}`, and `${key}` is a file that ${option one.secret} makes. Name its keys instead."
        ++
          refuse
            (
              secret.encoding ? ${key}
              && lib.elem filter [
                "base64decode"
                "json"
              ]
            )
            "${where} has `{{ ${placeholder} | ${toString filter} }}`, and ${option one.secret}.encoding decodes that key already. Use `{{ ${placeholder} }}` for its bytes, or `{{ ${placeholder} | base64 }}`."
      )
    ) template.placeholders;
in
{
  config.assertions = lib.mkIf cfg.enable (
    perTemplate (
      name: template:
      named name template ++ owned name template ++ written name template ++ filled name template
    )
  );
}
