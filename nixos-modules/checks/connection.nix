# Checks of the connection to OpenBao, and of the host's credentials.
{ config, lib, ... }:
let
  cfg = config.vault;
  inherit (import ./tools.nix { inherit config lib; }) option quoted refuse;

  plain = lib.filter (lib.hasPrefix "http://") cfg.address;

  # HashiCorp's server and this module like the same folder.
  inVarLibVault = path: path == "/var/lib/vault" || lib.hasPrefix "/var/lib/vault/" path;
  server = config.services.vault;
  here = lib.filter (name: inVarLibVault (toString cfg.${name})) [
    "appRoleDirectory"
    "cacheDirectory"
  ];
in
{
  config = {
    assertions = lib.mkIf cfg.enable (
      refuse (cfg.tls.followAuthorities.enable && cfg.tls.caCertificate == null)
        "vault.tls.followAuthorities needs vault.tls.caCertificate: the first CA certificate must be configured."
      ++
        refuse (cfg.tls.kubernetes.enable && !cfg.tls.followAuthorities.enable)
          "vault.tls.kubernetes needs vault.tls.followAuthorities.enable: the certificates in the cluster would become outdated."
      ++
        refuse (cfg.bootstrap.rebuild.enable && !cfg.bootstrap.enable)
          "vault.bootstrap.rebuild needs vault.bootstrap.enable: the resulting host would have no credentials."
      ++
        refuse
          (server.enable && server.storagePath != null && inVarLibVault server.storagePath && here != [ ])
          "services.vault keeps its data in `${toString server.storagePath}` and owns /var/lib/vault; the folders above a host's credentials and copies must be root's. Move ${
            quoted (map (name: "vault.${name}") here)
          }, such as to `/var/lib/vault-host/…`."
    );

    warnings =
      lib.optional (!cfg.enable && cfg.secrets != { })
        "${quoted (map option (lib.attrNames cfg.secrets))} are declared, but vault.enable is not set: this host does not fetch them."
      ++ lib.optionals cfg.enable (
        lib.optional cfg.tls.skipVerify "vault.tls.skipVerify is set: an attacker on the network can read every secret of this host."
        ++
          lib.optional (plain != [ ])
            "vault.address has ${quoted plain} without TLS: an attacker on the network can read every secret of this host."
        ++
          lib.optional (cfg.address == [ ] && !config.services.cloud-init.enable)
            "vault.address is empty, and services.cloud-init is off, which would provide one: this host has no address of OpenBao."
      );
  };
}
