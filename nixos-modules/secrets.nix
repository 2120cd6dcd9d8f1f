# `vault.secrets.<name>`: the secrets that a host has as files.
{
  config,
  lib,
  options,
  ...
}:
let
  inherit (lib) mkOption types;
  inherit (import ./types.nix { inherit lib; }) absolutePath;
  cfg = config.vault;

  taken = map (link: link.path) (import ./neighbours.nix { inherit config lib options; });
in
{
  options.vault = {
    hostName = mkOption {
      type = types.strMatching "[A-Za-z0-9._-]*" // {
        description = "name of a host, with or without its domain";
      };
      default = config.networking.hostName;
      defaultText = lib.literalExpression "config.networking.hostName";
      example = "web01.example.org";
      description = ''
        The name of this host in OpenBao, as in `create-host --hostname`. Set it for a name with a domain,
        because `networking.hostName` has no dots.
      '';
    };

    secrets = mkOption {
      type = types.attrsOf (
        types.submoduleWith {
          modules = [ ./secret.nix ];
          specialArgs = {
            vault = cfg;
            inherit (cfg) hostName;
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
        Secrets that become files on this host, each in its own directory, with one file for each key
        of the secret in OpenBao. The files are written before the services that need them start.
      '';
    };

    secretsDirectory = mkOption {
      type = absolutePath;
      default = if lib.elem "/run/secrets" taken then "/run/vault-secrets" else "/run/secrets";
      defaultText = lib.literalMD "`/run/secrets`, or `/run/vault-secrets` where sops-nix or agenix has that";
      example = "/run/vault-secrets";
      description = ''
        The directory with the directories of the secrets. sops-nix makes `/run/secrets` a link to
        its own directory, and replaces it as a whole. With sops-nix, the default is therefore
        another directory. Use `config.vault.secrets.<name>.path` instead of a literal path, which
        is right in both cases.
      '';
    };

    cacheDirectory = mkOption {
      type = absolutePath;
      default = "/var/lib/vault/cache";
      example = "/persist/vault/cache";
      description = ''
        The directory with the cached copies, which are used while OpenBao is unavailable. It must
        survive a reboot, and each directory above it must belong to root.
      '';
    };
  };
}
