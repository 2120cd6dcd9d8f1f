# The first start of a cluster: one node initialises it, the others join. Either vault-init keeps the
# key shares, or OpenBao initialises itself and hands nothing out.
{
  config,
  lib,
  ...
}:
let
  inherit (lib) mkOption types;
  inherit (import ../types.nix { inherit lib; }) folder;
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
        description = "What is done.";
      };
      path = mkOption {
        type = types.str;
        example = "sys/mounts/secret";
        description = "Where: the API path without `/v1/`.";
      };
      data = mkOption {
        type = types.attrsOf types.anything;
        default = { };
        example = lib.literalExpression ''{ type = "kv"; options.version = "2"; }'';
        description = "With what. It goes to the Nix store: nothing secret.";
      };
      dataFiles = mkOption {
        type = types.attrsOf folder;
        default = { };
        example = {
          password = "/run/secrets/alice-password";
        };
        description = ''
          What of it is in files of the node, to the letter (a newline at the end counts). OpenBao gets them as
          systemd credentials, so they must be there at each of its starts.
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
        Initialise the cluster when its first node starts on an empty disk. Without it, somebody says
        `bao operator init`.
      '';
    };

    node = mkOption {
      type = types.str;
      default = lib.head (lib.attrNames cfg.addresses ++ [ "" ]);
      defaultText = lib.literalMD "the first of the nodes by name";
      example = "bao1";
      description = ''
        The node that initialises the cluster, once all others answer and none of them is initialised:
        where one is, this node joins it, also when its own disk was lost. The others never initialise.
      '';
    };

    shares = mkOption {
      type = types.ints.between 1 255;
      default = if cfg.seal.type == "shamir" && !cfg.unseal.enable then 5 else 1;
      defaultText = lib.literalMD "5; 1 where `vault.server.unseal` or another seal unseals";
      example = 5;
      description = "How many key shares there are (with another seal than `shamir`: recovery key shares).";
    };

    threshold = mkOption {
      type = types.ints.between 1 255;
      default = if init.shares == 1 then 1 else init.shares / 2 + 1;
      defaultText = lib.literalMD "more than half of the shares";
      example = 3;
      description = "How many of them unseal a node.";
    };

    directory = mkOption {
      type = folder;
      default = "/var/lib/openbao-init";
      example = "/persist/openbao-init";
      description = ''
        Where `vault-init` puts what OpenBao answers, root's alone: `unseal.json`, or one encrypted file for
        each share. Take it away from there to where it belongs.
      '';
    };

    ageRecipients = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "age1…" ];
      description = ''
        One age recipient a share: the share goes to disk only encrypted to that person. As many as
        `shares`, or none.
      '';
    };

    pgpKeys = mkOption {
      type = types.listOf types.path;
      default = [ ];
      example = lib.literalExpression "[ ./keys/alice.asc ./keys/bob.asc ]";
      description = "One PGP public key a share, in place of age: OpenBao encrypts the shares itself.";
    };

    rootTokenRecipient = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "age1…";
      description = ''
        Whom the root token is encrypted to (age; with `pgpKeys`, a file with a PGP public key). With
        encrypted shares this is needed, or `revokeRootToken`: not both, for what is encrypted cannot be
        revoked here.
      '';
    };

    revokeRootToken = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = ''
        Revoke the root token in the end, once a node is unsealed. Best set when somebody else can log in:
        until then the token waits in `directory`, and the first start with this option revokes it. Set from
        the beginning, nobody can log in, and enough key shares make another token only through a door that
        is opened for it: docs/how-to/no-token.md.
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
        OpenBao's self-initialisation: it initialises itself, carries these requests out in the order of their
        names, and revokes its root token, which nobody ever sees. Needs a seal other than `shamir`. Among the
        requests must be one that lets somebody in.
      '';
    };
  };

  config = lib.mkIf (cfg.enable && init.enable && isFirst) {
    # Only this node may have it: a cluster that initialised itself twice would be two.
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
        # Keys that the disk does not take exist in its memory only, until there is room.
        SendSIGKILL = false;
      };
    };
  };
}
