# The declarations of this host in /etc/vault/secrets.json, for `vault-secrets` and `vault-plan`.
{ config, lib, ... }:
let
  cfg = config.vault;
  required = import ./required.nix { inherit lib; };
  sources = import ./source.nix { inherit lib; };

  # Templates with an owner, group or mode of their own.
  ownership =
    secret:
    lib.mapAttrs
      (
        _: template:
        lib.genAttrs [ "owner" "group" "mode" ] (
          setting: if template.${setting} == null then secret.${setting} else template.${setting}
        )
      )
      (
        lib.filterAttrs (
          _: template: template.owner != null || template.group != null || template.mode != null
        ) secret.templates
      );

  template = template: {
    output_directory = template.outputDir;
    inherit (template)
      file
      owner
      group
      mode
      ;
    content = template.text;
    services = map (service: "${service}.service") template.services;
  };

  secret =
    name: secret:
    {
      secret_path = secret.secretPath;
      output_directory = secret.outputDir;
      cache_directory = secret.cacheDir;
      seal_cache = secret.sealCache;
      max_cache_age = secret.maxCacheAge;
      inherit (secret) owner group mode;
      required_keys = required secret;
      inherit (secret) encoding;
      templates = lib.mapAttrs (_: template: template.content) secret.templates;
      template_ownership = ownership secret;
      environment_file = secret.environmentFile;
      json_file = secret.jsonFile;
      inherit (secret) links;
      as_credential = secret.asCredential;
      services = map (service: "${service}.service") secret.usedBy;
      on_change = secret.onChange;
      rotation = if lib.elem name cfg.rotation.secrets then secret.restartInterval else null;
    }
    // lib.optionalAttrs (secret.generate != { }) { inherit (secret) generate; }
    // lib.optionalAttrs (secret.source != null) { source = sources.declared secret.source; }
    // lib.optionalAttrs (secret.version != null) { inherit (secret) version; }
    // lib.optionalAttrs (secret.templateKeys != { }) { template_keys = secret.templateKeys; };
in
{
  options.vault.declarations = lib.mkOption {
    type = lib.types.attrs;
    readOnly = true;
    example = lib.literalExpression "nixosConfigurations.web01.config.vault.declarations";
    description = ''
      The declarations of this host, as in `/etc/vault/secrets.json`. `vault-plan` compares them with
      OpenBao.
    '';
  };

  config = lib.mkMerge [
    {
      vault.declarations = {
        hostname = cfg.hostName;
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
      }
      // lib.optionalAttrs (cfg.templates != { }) {
        templates = lib.mapAttrs (_: template) cfg.templates;
      };
    }
    (lib.mkIf cfg.enable {
      environment.etc."vault/secrets.json".text = builtins.toJSON cfg.declarations;
    })
  ];
}
