# The connection of this host to OpenBao, and the package with its programs.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  inherit (import ./types.nix { inherit lib; }) absolutePath address apiPath;
  packageOption = import ./package-option.nix { inherit lib pkgs; };
  cfg = config.vault;

  # Always the same place for the same name: a host's units do not change from one evaluation to the
  # next.
  digest = builtins.hashString "sha256" config.networking.hostName;
  place = lib.mod (lib.fromHexString (lib.substring 0 8 digest)) (lib.length cfg.address);
  ordered =
    if cfg.addressOrder == "listed" then
      cfg.address
    else
      lib.drop place cfg.address ++ lib.take place cfg.address;

  # Several addresses may come as one text, as BAO_ADDR has them.
  addresses = types.coercedTo types.str (lib.splitString ",") (types.listOf address);
in
{
  options.vault = {
    enable = lib.mkEnableOption "secrets from OpenBao as files on this host";

    package = packageOption "vault-host" "The package with `vault-fetch`, `vault-unwrap`, `vault-secrets` and `vault-certs`. It is on the host's PATH, too.";

    address = mkOption {
      type = addresses;
      default = [ ];
      example = [
        "https://openbao1.example.internal:8200"
        "https://openbao2.example.internal:8200"
      ];
      description = ''
        The nodes of one OpenBao cluster, as a list or as one string with commas. A node that does not
        answer costs a fetch at most one connect timeout, and nothing if another node answered before.

        If the list is empty, `VAULT_ADDR`, `VAULT_NAMESPACE` and `VAULT_SKIP_VERIFY` in
        `/etc/environment` are used, as cloud-init writes them.
      '';
    };

    addressOrder = mkOption {
      type = types.enum [
        "spread"
        "listed"
      ];
      default = "spread";
      example = "listed";
      description = ''
        The order in which this host uses the nodes. `spread`: each host begins at another place of
        the list, derived from its name. A fleet that boots at once then uses all nodes equally
        (standbys answer reads). `listed`: the order of the list, for example with the nearest node
        first.
      '';
    };

    namespace = mkOption {
      type = types.nullOr apiPath;
      default = null;
      example = "fleet";
      description = ''
        The OpenBao namespace that holds this host's secrets and its AppRole. With `null` and without
        `vault.address`, it is `VAULT_NAMESPACE` in `/etc/environment`.
      '';
    };

    kvMount = mkOption {
      type = apiPath;
      default = "secret";
      example = "kv";
      description = "The mount of the KV version 2 secrets engine.";
    };

    appRoleMount = mkOption {
      type = apiPath;
      default = "approle";
      example = "approle-fleet";
      description = "The mount of the AppRole auth method.";
    };

    authentication = mkOption {
      type = types.enum [
        "auto"
        "inline"
        "login"
      ];
      default = "auto";
      example = "login";
      description = ''
        The way this host logs in. `inline`: in the headers of each request (OpenBao 2.4 and later). `login`: by
        a request before, as HashiCorp Vault needs it, so a fetch is two requests. `auto`: inline; if the server
        ignores that, by a login, which is remembered for a day.
      '';
    };

    appRoleDirectory = mkOption {
      type = absolutePath;
      default = "/var/lib/vault/approle";
      example = "/persist/vault/approle";
      description = ''
        The directory with this host's `role-id` and `secret-id`, as `vault-unwrap` writes them. It must
        survive a reboot, and each directory above it must belong to root.
      '';
    };

    tls = {
      caCertificate = mkOption {
        type = types.nullOr types.path;
        default = null;
        example = lib.literalExpression "./openbao-ca.pem";
        description = ''
          The CA certificates that signed the nodes' certificates (PEM, one or several). With `null`, the
          system's root certificates are used. With `followAuthorities`, it is the first bundle of the host. Set
          that for a CA of `vault.server`, which is replaced every 90 days.
        '';
      };

      skipVerify = mkOption {
        type = types.bool;
        default = false;
        example = true;
        description = ''
          Accept any certificate. An attacker on the network can then read every secret of this host, and
          its credentials. Use it only for experiments.
        '';
      };
    };

    # The environment of all units that send requests to OpenBao.
    unitEnvironment = mkOption {
      type = types.attrsOf types.str;
      internal = true;
      readOnly = true;
      description = "The environment of units that send requests to OpenBao.";
    };
  };

  config.environment.systemPackages = lib.mkIf cfg.enable [ cfg.package ];

  config.vault.unitEnvironment =
    lib.optionalAttrs (cfg.address != [ ]) { BAO_ADDR = lib.concatStringsSep "," ordered; }
    // lib.optionalAttrs (cfg.namespace != null) { BAO_NAMESPACE = cfg.namespace; }
    // lib.optionalAttrs (cfg.tls.caCertificate != null) {
      # Not toString: a path then goes along to the host.
      BAO_CACERT =
        if cfg.tls.followAuthorities.enable then
          cfg.tls.followAuthorities.file
        else
          "${cfg.tls.caCertificate}";
    }
    // lib.optionalAttrs cfg.tls.skipVerify { BAO_SKIP_VERIFY = "true"; };
}
