# A host whose secrets come from a script, as plain files; in its next generation they come from the
# module, in the same places.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  service = import ./lib/service.nix { inherit lib pkgs; };
in
{
  options.test.withModule = lib.mkOption {
    type = lib.types.bool;
    default = false;
    description = "Whether this generation has the module in place of the script.";
  };

  config = lib.mkMerge [
    {
      networking.hostName = "legacy";
      environment.systemPackages = [ pkgs.jq ];
      systemd.services.app = service {
        name = "app";
        file = "/run/secrets/db/password";
      };
    }

    (lib.mkIf (!config.test.withModule) {
      systemd.services.secrets-script = {
        description = "Writes the secret db and a copy of it";
        requiredBy = [ "app.service" ];
        before = [ "app.service" ];
        path = [ pkgs.coreutils ];
        serviceConfig = {
          Type = "oneshot";
          RemainAfterExit = true;
          ExecStart = pkgs.writeShellScript "secrets-script" ''
            set -eu
            umask 077
            for folder in /run/secrets/db /var/lib/vault/cache/db; do
              mkdir -p $folder
              printf %s app > $folder/username
              printf %s scripted > $folder/password
            done
          '';
        };
      };
    })

    (lib.mkIf config.test.withModule {
      vault = {
        enable = true;
        address = "https://openbao:8200";
        # Put there by the scenario: the test's own CA.
        tls.caCertificate = "/etc/openbao-ca.pem";
        secrets.db.services = [ "app" ];
      };
    })
  ];
}
