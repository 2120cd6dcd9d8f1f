# How this host reaches OpenBao, and with which programs.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  inherit (import ./types.nix { inherit lib; }) address folder;
  cfg = config.vault;

  # Always the same place for the same name: a host's units do not change from one evaluation to the next.
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

    package = mkOption {
      type = types.package;
      default = (import ../nix/packages.nix { inherit pkgs; }).vault-host;
      defaultText = lib.literalMD "the `vault-host` of this flake";
      example = lib.literalExpression "inputs.zero-touch-secrets.packages.x86_64-linux.vault-host";
      description = "The package that brings `vault-fetch`, `vault-unwrap`, `vault-secrets` and `vault-certs`, for units and for a shell on the host.";
    };

    address = mkOption {
      type = addresses;
      default = [ ];
      example = [
        "https://openbao1.example.internal:8200"
        "https://openbao2.example.internal:8200"
      ];
      description = ''
        The servers of one OpenBao cluster: a list, or one text with commas. One that is of no use costs a
        fetch at most one connect timeout, and nothing where another answered before.
        Where it is empty, the address is the one that cloud-init put into `/etc/environment`
        (`VAULT_ADDR`), and `VAULT_SKIP_VERIFY` there counts too.
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
        Which of several servers this host asks first. `spread`: each host begins the list at a place of its
        own, given by its name, so that a fleet that boots at once asks all servers alike (standbys answer
        reads themselves). `listed`: the first one, such as the one that is near.
      '';
    };

    namespace = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "fleet";
      description = "The OpenBao namespace that holds this host's secrets and its AppRole.";
    };

    kvMount = mkOption {
      type = types.str;
      default = "secret";
      example = "kv";
      description = "The mount of the KV version 2 secrets engine.";
    };

    appRoleMount = mkOption {
      type = types.str;
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
        How this host logs in. `inline`: inside each request (OpenBao 2.4 and later). `login`: with a login
        before, as HashiCorp Vault needs it, which makes two requests of each fetch. `auto`: inline, and where
        the server takes no notice of that, with a login, which is remembered for a day.
      '';
    };

    appRoleDirectory = mkOption {
      type = folder;
      default = "/var/lib/vault/approle";
      example = "/persist/vault/approle";
      description = ''
        The folder with this host's `role-id` and `secret-id`, as `vault-unwrap` leaves them. It must
        survive a reboot, and each folder above it must be root's.
      '';
    };

    tls = {
      caCertificate = mkOption {
        type = types.nullOr types.path;
        default = null;
        example = lib.literalExpression "./openbao-ca.pem";
        description = ''
          The certificate of the CA that signs OpenBao's certificates (PEM, one or several). Without
          it, the system's root certificates count. With `followAuthorities`, it is what the host begins
          with.
        '';
      };

      skipVerify = mkOption {
        type = types.bool;
        default = false;
        example = true;
        description = ''
          Take any certificate. Whoever can answer in OpenBao's place then reads every secret of this
          host, and its credentials: for trying things out only.
        '';
      };
    };

    # What all units of this host get to reach OpenBao.
    unitEnvironment = mkOption {
      type = types.attrsOf types.str;
      internal = true;
      readOnly = true;
      description = "Environment of the units that ask OpenBao.";
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
