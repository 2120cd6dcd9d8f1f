# What this host declares, as `vault-secrets` and `vault-plan` read it.
{ config, lib, ... }:
let
  cfg = config.vault;

  secret = name: secret: {
    secret_path = secret.secretPath;
    output_directory = secret.outputDir;
    cache_directory = secret.cacheDir;
    seal_cache = secret.sealCache;
    max_cache_age = secret.maxCacheAge;
    inherit (secret) owner group mode;
    required_keys = secret.requiredKeys;
    templates = lib.mapAttrs (_: template: template.content) secret.templates;
    environment_file = secret.environmentFile;
    as_credential = secret.asCredential;
    services = map (service: "${service}.service") secret.services;
    on_change = secret.onChange;
    rotation = if lib.elem name cfg.rotation.secrets then secret.restartInterval else null;
  };
in
{
  options.vault.declarations = lib.mkOption {
    type = lib.types.attrs;
    readOnly = true;
    example = lib.literalExpression "nixosConfigurations.web01.config.vault.declarations";
    description = ''
      What this host declares, in the form of `/etc/vault/secrets.json`. `vault-plan` compares it with
      what OpenBao holds.
    '';
  };

  config = lib.mkMerge [
    {
      vault.declarations = {
        hostname = config.networking.hostName;
        openbao = {
          addresses = cfg.address;
          inherit (cfg) namespace;
          kv_mount = cfg.kvMount;
          approle_mount = cfg.appRoleMount;
          inherit (cfg) authentication;
          ca_certificate = lib.mapNullable (file: "${file}") cfg.tls.caCertificate;
          skip_verify = cfg.tls.skipVerify;
          approle_directory = cfg.appRoleDirectory;
        };
        secrets = lib.mapAttrs secret cfg.secrets;
      };
    }
    (lib.mkIf cfg.enable {
      environment.etc."vault/secrets.json".text = builtins.toJSON cfg.declarations;
    })
  ];
}
