# The keys without which a secret is not taken: those that are required, generated, or linked to.
{ lib }:
secret:
let
  isMade =
    file: secret.templates ? ${file} || file == secret.environmentFile || file == secret.jsonFile;
  linked = lib.filter (file: !isMade file) (lib.attrValues secret.links);
in
lib.unique (secret.requiredKeys ++ lib.attrNames secret.generate ++ linked)
