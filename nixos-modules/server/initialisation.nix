# The first start of a cluster: one node initialises it, the others join. Either vault-init keeps
# the key shares, or OpenBao initialises itself and returns none.
{
  config,
  lib,
  ...
}:
let
  documentation = import ../unit-documentation.nix { inherit config lib; };
  inherit (lib) mkOption types;
  inherit (import ../types.nix { inherit lib; }) absolutePath ageRecipient apiPath;
  cfg = config.vault.server;
  init = cfg.initialization;
  isFirst = cfg.nodeName == init.node;
  storage = "/var/lib/openbao/raft";

  credentialOf = name: key: "request-${name}-${key}";
  # OpenBao reads them itself (documentation, "Profile system").
  dataOf =
    name: request:
    request.data
    // lib.mapAttrs (key: _: {
      eval_source = "file";
      eval_type = "string";
      path = "/run/credentials/openbao.service/${credentialOf name key}";
    }) request.dataFiles;

  request = types.submodule {
    options = {
      operation = mkOption {
        type = types.enum [
          "create"
          "delete"
          "read"
          "update"
        ];
        default = "update";
        example = "create";
        description = "The operation.";
      };
      path = mkOption {
        type = apiPath;
        example = "sys/mounts/secret";
        description = "The API path, without `/v1/`.";
      };
      data = mkOption {
        type = types.attrsOf types.anything;
        default = { };
        example = lib.literalExpression ''{ type = "kv"; options.version = "2"; }'';
        description = "The data of the request. It is in the Nix store, so it must hold no secret.";
      };
      dataFiles = mkOption {
        type = types.attrsOf absolutePath;
        default = { };
        example = {
          password = "/run/secrets/alice-password";
        };
        description = ''
          Data that is read from files of the node, exactly (a newline at the end counts). OpenBao gets them as
          systemd credentials, so they must exist at each of its starts.
        '';
      };
    };
  };
in
{
  options.vault.server.initialization = {
    enable = mkOption {
      type = types.bool;
      default = true;
      example = false;
      description = ''
        Initialise the cluster when its first node starts on an empty disk. If you disable it, run
        `bao operator init` yourself.
      '';
    };

    node = mkOption {
      type = types.str;
      default = lib.head (lib.attrNames cfg.addresses ++ [ "" ]);
      defaultText = lib.literalMD "the first of the nodes by name";
      example = "bao1";
      description = ''
        The node that initialises the cluster, once all others answer and none of them is initialised. If
        one is, this node joins it, also when its own disk was lost. The others never initialise.
      '';
    };

    shares = mkOption {
      type = types.ints.between 1 255;
      default = if cfg.seal.type == "shamir" && !cfg.unseal.enable then 5 else 1;
      defaultText = lib.literalMD "5; 1 where `vault.server.unseal` or another seal unseals";
      example = 5;
      description = "The number of key shares (with another seal than `shamir`: recovery key shares).";
    };

    threshold = mkOption {
      type = types.ints.between 1 255;
      default = if init.shares == 1 then 1 else init.shares / 2 + 1;
      defaultText = lib.literalMD "more than half of the shares";
      example = 3;
      description = "The number of key shares that unseal a node.";
    };

    directory = mkOption {
      type = absolutePath;
      default = "/var/lib/openbao-init";
      example = "/persist/openbao-init";
      description = ''
        The directory for the result of `vault-init`, readable for root only: `unseal.json`, or one encrypted
        file for each share. Move the files to their final place.
      '';
    };

    ageRecipients = mkOption {
      type = types.listOf ageRecipient;
      default = [ ];
      example = [ "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p" ];
      description = ''
        The age recipients, one for each share. A share is written to disk only encrypted to its recipient.
        There must be as many as `shares`, or none.
      '';
    };

    pgpKeys = mkOption {
      type = types.listOf types.path;
      default = [ ];
      example = lib.literalExpression "[ ./keys/alice.asc ./keys/bob.asc ]";
      description = "The PGP public keys, one for each share, instead of age. OpenBao encrypts the shares itself.";
    };

    rootTokenRecipient = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "age1…";
      description = ''
        The recipient of the encrypted root token (age; with `pgpKeys`, a file with a PGP public key).
        Encrypted shares need this or `revokeRootToken`, but not both: an encrypted token cannot be revoked
        here.
      '';
    };

    revokeRootToken = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = ''
        Revoke the root token at the end, once a node is unsealed. Set it when somebody can log in another
        way: until then the token is in `directory`, and the first start with this option revokes it. If it is
        set from the beginning, nobody can log in, and a new root token needs the procedure in
        docs/how-to/no-token.md.
      '';
    };

    requests = mkOption {
      type = types.attrsOf request;
      default = { };
      example = lib.literalExpression ''
        {
          kv = { path = "sys/mounts/secret"; data = { type = "kv"; options.version = "2"; }; };
          approle = { path = "sys/auth/approle"; data.type = "approle"; };
          # nobody can lock a host out by logins with a wrong secret id
          approle-without-lockout = { path = "sys/auth/approle/tune"; data.user_lockout_config.lockout_disable = true; };
        }
      '';
      description = ''
        OpenBao's self-initialisation: it initialises itself, carries out these requests in the order of their
        names, and revokes its root token, which it never returns. It needs a seal other than `shamir`. One of
        the requests must create a way to log in.
      '';
    };
  };

  config = lib.mkIf (cfg.enable && init.enable && isFirst) {
    # Only on this node: two nodes that initialise themselves are two clusters.
    services.openbao.settings.initialize = lib.mkIf (init.requests != { }) [
      {
        first.request = lib.mapAttrsToList (name: request: {
          ${name} = {
            inherit (request) operation path;
          }
          // lib.optionalAttrs (dataOf name request != { }) { data = dataOf name request; };
        }) init.requests;
      }
    ];

    systemd.services.openbao.serviceConfig.LoadCredential = lib.concatLists (
      lib.mapAttrsToList (
        name: request: lib.mapAttrsToList (key: file: "${credentialOf name key}:${file}") request.dataFiles
      ) init.requests
    );

    systemd.services.openbao-init = lib.mkIf (init.requests == { }) {
      description = "Initialise the OpenBao cluster ${cfg.clusterName}";
      documentation = documentation "vault-init(1)" "explanation/server";
      wantedBy = [ "multi-user.target" ];
      after = [ "openbao.service" ];
      wants = [ "openbao.service" ];
      restartIfChanged = false;
      unitConfig.StartLimitIntervalSec = 0;
      environment = {
        BAO_ADDR = cfg.addresses.${cfg.nodeName};
      }
      // lib.optionalAttrs (cfg.caFile != null) { BAO_CACERT = cfg.caFile; };
      path = [ config.systemd.package ];
      serviceConfig = import ../hardening.nix { memory = "256M"; } // {
        Type = "oneshot";
        RemainAfterExit = true;
        ExecStart = lib.escapeShellArgs (
          [
            "${cfg.package}/bin/vault-init"
            "--directory=${init.directory}"
            "--shares=${toString init.shares}"
            "--threshold=${toString init.threshold}"
            "--start-over-storage=${storage}"
            "--start-over-unit=openbao.service"
          ]
          ++ map (other: "--other=${other}") (lib.attrValues (removeAttrs cfg.addresses [ cfg.nodeName ]))
          ++ map (recipient: "--age-recipient=${recipient}") init.ageRecipients
          ++ map (key: "--pgp-key=${key}") init.pgpKeys
          ++ lib.optional (
            init.rootTokenRecipient != null
          ) "--root-token-recipient=${init.rootTokenRecipient}"
          ++ lib.optional init.revokeRootToken "--revoke-root-token"
        );
        StateDirectory = "openbao-init";
        StateDirectoryMode = "0700";
        ReadWritePaths = [
          "-${init.directory}"
          # An interrupted initialisation is moved aside here.
          "/var/lib"
        ];
        RestrictAddressFamilies = [
          "AF_INET"
          "AF_INET6"
          "AF_UNIX"
        ];
        Restart = "on-failure";
        RestartSec = "5s";
        RestartSteps = 8;
        RestartMaxDelaySec = "10min";
        TimeoutStartSec = "5min";
        # Until there is disk space, keys that could not be written are in the process's memory
        # only.
        SendSIGKILL = false;
      };
    };
  };
}
