# Cases beside other modules for secrets, with only the options that ours reads: they are no inputs
# of this flake.
{ lib, ... }:
let
  sops = secrets: {
    options.sops.secrets = lib.mkOption { type = lib.types.attrs; };
    config.sops = { inherit secrets; };
  };
  age = secrets: {
    options.age.secrets = lib.mkOption { type = lib.types.attrs; };
    options.age.secretsDir = lib.mkOption { default = "/run/agenix"; };
    config.age = { inherit secrets; };
  };
  refused =
    by: link: path:
    "vault.secrets.db.outputDir is `${path}`, in `${link}`, which ${by} replaces as a whole. Without vault.secrets.db.outputDir and vault.secretsDirectory another directory is used.";
  with' = module: more: {
    imports = [ module ];
    vault.secrets.db = more;
  };
  isIn = path: config: {
    "the folder, `${config.vault.secrets.db.path}`," = config.vault.secrets.db.path == path;
  };
in
{
  "sops-nix with secrets" = {
    config = with' (sops { key = { }; }) { };
    holds = isIn "/run/vault-secrets/db";
  };
  "sops-nix without" = {
    config = with' (sops { }) { };
    holds = isIn "/run/secrets/db";
  };
  "a folder in that of sops-nix" = {
    config = with' (sops { key = { }; }) { outputDir = "/run/secrets/db"; };
    failed = [ (refused "sops-nix" "/run/secrets" "/run/secrets/db") ];
  };
  "the folder of sops-nix itself" = {
    config = with' (sops { key = { }; }) { outputDir = "/run/secrets"; };
    failed = [ (refused "sops-nix" "/run/secrets" "/run/secrets") ];
  };
  "agenix with secrets" = {
    config = with' (age { key = { }; }) { };
    holds = isIn "/run/secrets/db";
  };
  "agenix where we would be" = {
    config = {
      imports = [ (with' (age { key = { }; }) { }) ];
      age.secretsDir = "/run/secrets";
    };
    holds = isIn "/run/vault-secrets/db";
  };
  "a folder in that of agenix" = {
    config = with' (age { key = { }; }) { outputDir = "/run/agenix/db"; };
    failed = [ (refused "agenix" "/run/agenix" "/run/agenix/db") ];
  };
}
