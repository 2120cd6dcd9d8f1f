# Functions that the checks share.
{ config, lib }:
let
  cfg = config.vault;
in
{
  option = name: "vault.secrets.${name}";

  optionOfTemplate = name: "vault.templates.${name}";

  quoted = names: lib.concatMapStringsSep ", " (name: "`${name}`") names;

  # Assertions or warnings of each secret, from its name and its options.
  perSecret = check: lib.concatMap (name: check name cfg.secrets.${name}) (lib.attrNames cfg.secrets);

  # The same of each template over several secrets.
  perTemplate =
    check: lib.concatMap (name: check name cfg.templates.${name}) (lib.attrNames cfg.templates);

  refuse = holds: message: [
    {
      assertion = !holds;
      inherit message;
    }
  ];
}
