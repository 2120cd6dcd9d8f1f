# Which seal guards OpenBao's keys: key shares of people or of vault-unseal (shamir), a key of this
# machine (static), or another OpenBao (transit).
{
  config,
  lib,
  ...
}:
let
  inherit (lib) mkOption types;
  inherit (import ../types.nix { inherit lib; }) folder;
  cfg = config.vault.server;
  seal = cfg.seal;
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
        What unseals a node after a start.

        | seal | after a reboot | who can open the storage | choose it when |
        | --- | --- | --- | --- |
        | `shamir`, keys with people | sealed until enough of them come | several people together | nobody shall be able to alone, and nights may be long |
        | `shamir` and `vault.server.unseal` | seconds | whoever has root on the host of the unsealer | the unsealer is another, better guarded machine; or one node, to begin with |
        | `static` | at once, also all nodes together | whoever has root on a node | a cluster shall come up by itself after a power cut; the key comes as other first secrets do |
        | `transit` | at once, if the other OpenBao runs | whoever may use that key of the other OpenBao | there is a second OpenBao with people of its own |
      '';
    };

    static = {
      keyId = mkOption {
        type = types.str;
        default = "1";
        example = "2026-11";
        description = "The name of the key; another one when the key is replaced.";
      };

      keyFile = mkOption {
        type = types.nullOr folder;
        default = null;
        example = "/run/secrets/openbao-seal-key";
        description = "The file with the key: 32 random bytes, such as `openssl rand 32` gives. The same on all nodes.";
      };

      previousKeyId = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "2026-08";
        description = ''
          The name of the key before, while it is being replaced. To replace a key: set the old one here and the
          new one as `keyId` and `keyFile` on all nodes, `vault-node restart` each, and take the old one out only
          when the active node's journal has `upgrading stored keys`. A cluster that initialised itself has no
          recovery key, and without one OpenBao 2.7 leaves its keys under the old seal key, with nothing but
          `post-unseal upgrade seal keys failed` in the journal: first make one, with a token that may `sudo`
          there: `bao operator rotate-keys -init -target=recovery -key-shares=1 -key-threshold=1`.
        '';
      };

      previousKeyFile = mkOption {
        type = types.nullOr folder;
        default = null;
        example = "/run/secrets/openbao-seal-key-2026-08";
        description = "The file with the key before, while it is being replaced.";
      };
    };

    transit = {
      address = mkOption {
        type = types.str;
        default = "";
        example = "https://other-openbao.example.internal:8200";
        description = "The other OpenBao.";
      };

      keyName = mkOption {
        type = types.str;
        default = "autounseal";
        example = "unseal-main";
        description = "The key in its transit engine.";
      };

      mountPath = mkOption {
        type = types.str;
        default = "transit/";
        example = "seals/";
        description = "The mount of its transit engine.";
      };

      tokenFile = mkOption {
        type = types.nullOr folder;
        default = null;
        example = "/run/secrets/openbao-transit-token";
        description = "The file with a token that may encrypt and decrypt with that key (and nothing else).";
      };

      caCertificate = mkOption {
        type = types.nullOr folder;
        default = null;
        example = "/etc/other-openbao-ca.pem";
        description = "The CA of the other OpenBao; without it, the system's root certificates count.";
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
