# `vault.secrets.<name>`: what a host wants to have as files.
{
  config,
  lib,
  options,
  ...
}:
let
  inherit (lib) mkOption types;
  inherit (import ./types.nix { inherit lib; }) folder;
  cfg = config.vault;

  taken = map (link: link.path) (import ./neighbours.nix { inherit config lib options; });
in
{
  options.vault = {
    secrets = mkOption {
      type = types.attrsOf (
        types.submoduleWith {
          modules = [ ./secret.nix ];
          specialArgs = {
            vault = cfg;
            inherit (config.networking) hostName;
          };
        }
      );
      default = { };
      example = lib.literalExpression ''
        {
          db = {
            owner = "postgres";
            services = [ "postgresql" ];
            restartTrigger = true;
          };
        }
      '';
      description = ''
        Secrets that become files on this host, each in a folder of its own: one file for each key
        of the secret in OpenBao. They are there before the services that need them start.
      '';
    };

    secretsDirectory = mkOption {
      type = folder;
      default = if lib.elem "/run/secrets" taken then "/run/vault-secrets" else "/run/secrets";
      defaultText = lib.literalMD "`/run/secrets`, or `/run/vault-secrets` where sops-nix or agenix has that";
      example = "/run/vault-secrets";
      description = ''
        The folder that holds each secret's own. Beside sops-nix, which makes `/run/secrets` a link to
        a folder of its own and replaces that as a whole, another folder is taken by itself. Write
        `config.vault.secrets.<name>.path` rather than a path, and it is right in both cases.
      '';
    };

    cacheDirectory = mkOption {
      type = folder;
      default = "/var/lib/vault/cache";
      example = "/persist/vault/cache";
      description = ''
        The folder that holds each secret's cached copy, for the day OpenBao is down. It must survive
        a reboot, and each folder above it must be root's.
      '';
    };
  };
}
