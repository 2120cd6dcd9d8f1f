# The seal that protects OpenBao's keys: key shares of people or of vault-unseal (shamir), a key of
# this machine (static), or another OpenBao (transit).
{
  config,
  lib,
  ...
}:
let
  inherit (lib) mkOption types;
  inherit (import ../types.nix { inherit lib; }) absolutePath address apiPath;
  cfg = config.vault.server;
  inherit (cfg) seal;
  credential = name: "/run/credentials/openbao.service/${name}";
in
{
  options.vault.server.seal = {
    type = mkOption {
      type = types.enum [
        "shamir"
        "static"
        "transit"
      ];
      default = "shamir";
      example = "static";
      description = ''
        The seal, which decides how a node is unsealed after a start.

        | seal | after a reboot | access to the storage | use it if |
        | --- | --- | --- | --- |
        | `shamir`, shares with people | sealed until enough people enter their shares | several people together | no single person may open the storage, and an outage at night is acceptable |
        | `shamir` and `vault.server.unseal` | unsealed within seconds | root on the unsealer's host | the unsealer is another, better protected machine; or one node, to begin with |
        | `static` | unsealed at once, also all nodes together | root on a node | the cluster must start by itself after a power cut; the key is delivered like other first secrets |
        | `transit` | unsealed at once, if the other OpenBao runs | users of that key in the other OpenBao | there is a second OpenBao with its own operators |
      '';
    };

    static = {
      keyId = mkOption {
        type = types.str;
        default = "1";
        example = "2026-11";
        description = "The name of the key. A replaced key needs another name.";
      };

      keyFile = mkOption {
        type = types.nullOr absolutePath;
        default = null;
        example = "/run/secrets/openbao-seal-key";
        description = "The file with the key: 32 random bytes, as from `openssl rand 32`. It is the same on all nodes.";
      };

      previousKeyId = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "2026-08";
        description = ''
          The name of the previous key, while the key is being replaced. To replace a key:

          1. Set the old one here and the new one as `keyId` and `keyFile` on all nodes.
          2. Run `vault-node restart` for each node.
          3. Remove the old one when the active node's journal has `upgrading stored keys`.

          A cluster that initialised itself has no recovery key. Without one, OpenBao 2.7 leaves its keys under the
          old seal key, and only logs `post-unseal upgrade seal keys failed`. First make a recovery key, with a
          token that has `sudo` on that path:
          `bao operator rotate-keys -init -target=recovery -key-shares=1 -key-threshold=1`.
        '';
      };

      previousKeyFile = mkOption {
        type = types.nullOr absolutePath;
        default = null;
        example = "/run/secrets/openbao-seal-key-2026-08";
        description = "The file with the previous key, while the key is being replaced.";
      };
    };

    transit = {
      address = mkOption {
        type = types.either (types.enum [ "" ]) address;
        default = "";
        example = "https://other-openbao.example.internal:8200";
        description = "The address of the other OpenBao.";
      };

      keyName = mkOption {
        type = types.str;
        default = "autounseal";
        example = "unseal-main";
        description = "The name of the key in its transit engine.";
      };

      mountPath = mkOption {
        type = apiPath;
        default = "transit/";
        example = "seals/";
        description = "The mount of its transit engine.";
      };

      tokenFile = mkOption {
        type = types.nullOr absolutePath;
        default = null;
        example = "/run/secrets/openbao-transit-token";
        description = "The file with a token that may encrypt and decrypt with that key (and nothing else).";
      };

      caCertificate = mkOption {
        type = types.nullOr absolutePath;
        default = null;
        example = "/etc/other-openbao-ca.pem";
        description = "The CA certificates of the other OpenBao. With `null`, the system's root certificates are used.";
      };
    };
  };

  config = lib.mkIf cfg.enable {
    services.openbao.settings = lib.mkMerge [
      (lib.mkIf (seal.type == "static") {
        seal.static = {
          current_key_id = seal.static.keyId;
          current_key = "file://${credential "seal-key"}";
        }
        // lib.optionalAttrs (seal.static.previousKeyId != null) {
          previous_key_id = seal.static.previousKeyId;
          previous_key = "file://${credential "previous-seal-key"}";
        };
      })
      (lib.mkIf (seal.type == "transit") {
        seal.transit = {
          inherit (seal.transit) address;
          key_name = seal.transit.keyName;
          mount_path = seal.transit.mountPath;
          token = "file://${credential "transit-token"}";
        }
        // lib.optionalAttrs (seal.transit.caCertificate != null) {
          tls_ca_cert = credential "transit-ca";
        };
      })
    ];

    systemd.services.openbao.serviceConfig.LoadCredential = lib.mkMerge [
      (lib.mkIf (seal.type == "static") (
        [ "seal-key:${toString seal.static.keyFile}" ]
        ++ lib.optional (
          seal.static.previousKeyId != null
        ) "previous-seal-key:${toString seal.static.previousKeyFile}"
      ))
      (lib.mkIf (seal.type == "transit") (
        [ "transit-token:${toString seal.transit.tokenFile}" ]
        ++ lib.optional (
          seal.transit.caCertificate != null
        ) "transit-ca:${toString seal.transit.caCertificate}"
      ))
    ];
  };
}
