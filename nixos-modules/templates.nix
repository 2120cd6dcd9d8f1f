# `vault.templates.<name>`: files made of several secrets, and vault-template-<name>.service, which
# renders one from the secrets' files before the services that need it start.
{
  config,
  lib,
  ...
}:
let
  documentation = import ./unit-documentation.nix { inherit config lib; };
  inherit (lib) mkOption types;
  cfg = config.vault;
  unit = import ./unit.nix { inherit config lib; };

  services = template: map (service: "${service}.service") template.services;

  render =
    name: template:
    lib.nameValuePair "vault-template-${name}" {
      description = "Template ${name} of secrets from OpenBao";
      documentation = documentation "vault-secrets-render(1)" "how-to/templates";
      wants = [ "vault-setup.service" ];
      # Not `requires`: that would fetch the secrets again. The services require both.
      after = [
        "vault-setup.service"
        "vault-secrets.service"
      ]
      ++ map (secret: "vault-secret-${secret}.service") template.secrets;
      before = services template;
      requiredBy = services template;
      # Also where services need it: the job of a timer may start hours after the boot.
      wantedBy = [ "multi-user.target" ];
      unitConfig = {
        StartLimitIntervalSec = 0;
        # As for a fetch: the services require this unit, so a stop by hand would stop them, too.
        RefuseManualStop = true;
      };
      serviceConfig =
        unit.sandbox ([ template ] ++ map (secret: cfg.secrets.${secret}) template.secrets)
        // {
          # Not RemainAfterExit: so each start of a service renders it anew.
          Type = "oneshot";
          ExecStart = "${cfg.package}/bin/vault-secrets render ${lib.escapeShellArg name}";
          IPAddressDeny = "any";
          PrivateNetwork = true;
          RestrictAddressFamilies = "AF_UNIX";
          ReadWritePaths = [ "-${dirOf template.outputDir}" ];
          TimeoutStartSec = "90s";
        };
    };
in
{
  options.vault.templates = mkOption {
    type = types.attrsOf (
      types.submoduleWith {
        modules = [ ./template.nix ];
        specialArgs.vault = cfg;
      }
    );
    default = { };
    example = lib.literalExpression ''
      {
        "app.conf" = {
          content = "db = {{ db.password | json }}\nmail = {{ smtp.password | json }}\n";
          owner = "app";
          services = [ "app" ];
        };
      }
    '';
    description = ''
      Files made of keys of several secrets, each in its own directory. A file is rendered from the
      secrets on this host, also from cached ones. This happens before the services that need it
      start, and in a rotation or roll-back of each secret in it. A key in a template is required,
      as in `vault.secrets.<name>.requiredKeys`: a version without it is not deployed, and the file
      stays. For files made of one secret there is `vault.secrets.<name>.templates`.
    '';
  };

  config = lib.mkIf cfg.enable { systemd.services = lib.mapAttrs' render cfg.templates; };
}
