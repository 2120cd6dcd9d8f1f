# Snapshots of a cluster, taken on a timer, and tried out on another.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  inherit (import ../types.nix { inherit lib; }) folder;
  cfg = config.vault.server;
  snapshots = config.vault.snapshots;
  drill = snapshots.drill;
  hardening = import ../hardening.nix { };
  program = "${cfg.package}/bin/vault-snapshot";
  hasBuckets = snapshots.s3 != { };

  # The files that a unit gets as credentials, by their names there.
  numbered = prefix: lib.imap1 (number: file: lib.nameValuePair "${prefix}-${toString number}" file);
  bucketFiles = lib.concatMapAttrs (
    name: bucket:
    lib.optionalAttrs (bucket.credentialsFile != null) { "s3-${name}" = bucket.credentialsFile; }
  ) snapshots.s3;
  approleFiles =
    role:
    lib.optionalAttrs (role.roleIdFile != null) { "role-id" = role.roleIdFile; }
    // lib.optionalAttrs (role.secretIdFile != null) { "secret-id" = role.secretIdFile; };
  loaded = lib.mapAttrsToList (name: file: "${name}:${file}");

  url =
    credentials: name: bucket:
    "${bucket.url}?"
    + lib.concatStringsSep "&" (
      [ "region=${bucket.region}" ]
      ++ lib.optional (bucket.credentialsFile != null) "credentials=${credentials}/s3-${name}"
      ++ lib.optional (bucket.caCertificate != null) "ca=${bucket.caCertificate}"
      ++ lib.optional (!bucket.pathStyle) "style=virtual-host"
    );
  saving = "/run/credentials/vault-snapshot.service";
  drilling = "/run/credentials/vault-snapshot-drill.service";
  places =
    credentials:
    map (path: "--dir=${path}") snapshots.directories
    ++ lib.mapAttrsToList (name: bucket: "--s3=${url credentials name bucket}") snapshots.s3;

  # systemd reads `%` as the beginning of a word of its own.
  command = words: lib.replaceStrings [ "%" ] [ "%%" ] (lib.escapeShellArgs words);

  login =
    if snapshots.auth.method == "approle" then
      [ "--approle-dir=${saving}" ]
    else
      [
        "--role=${snapshots.auth.role}"
        "--jwt-file=${saving}/jwt"
      ];
  verified = map (file: "--verification-key=${file}") snapshots.signing.publicKeyFiles;
  keep = lib.mapAttrsToList (name: count: "--keep-${name}=${toString count}") snapshots.keep;

  save = [
    program
    "save"
  ]
  ++ places saving
  ++ [ "--auth=${snapshots.auth.method}" ]
  ++ lib.optional (snapshots.auth.mount != null) "--auth-mount=${snapshots.auth.mount}"
  ++ login
  ++ map (recipient: "--age-recipient=${recipient}") snapshots.ageRecipients
  ++ lib.optional (snapshots.canary != null) "--canary=${snapshots.canary}"
  ++ lib.optional (snapshots.signing.keyFile != null) "--signing-key=${saving}/signing-key"
  ++ lib.optional snapshots.sameDisk "--same-disk"
  ++ [
    "--wait=${snapshots.patience}"
    "--metrics-file=/var/lib/vault-snapshot/save.prom"
  ];
  prune = [
    program
    "prune"
  ]
  ++ places saving
  ++ verified
  ++ keep;

  shares = numbered "unseal-key" drill.keyFiles;
  identities = numbered "age-identity" drill.ageIdentityFiles;
  tryOut = [
    program
    "drill"
  ]
  ++ places drilling
  ++ verified
  ++ map (share: "--unseal-key-file=${drilling}/${share.name}") shares
  ++ map (identity: "--age-identity=${drilling}/${identity.name}") identities
  ++ lib.optional (drill.sealConfigFile != null) "--seal-config=${drilling}/seal-config"
  ++ (if snapshots.canary != null then [ "--approle-dir=${drilling}" ] else [ "--without-canary" ])
  ++ [
    "--auth-mount=${drill.approle.mount}"
    "--hide=none"
    "--bao-program=${lib.getExe' drill.package "bao"}"
    "--metrics-file=/var/lib/vault-snapshot/drill.prom"
  ];

  approle = {
    roleIdFile = mkOption {
      type = types.nullOr folder;
      default = null;
      example = "/run/secrets/openbao-snapshots/role-id";
      description = "The file with the role id of the AppRole.";
    };

    secretIdFile = mkOption {
      type = types.nullOr folder;
      default = null;
      example = "/run/secrets/openbao-snapshots/secret-id";
      description = "The file with a secret id of the AppRole.";
    };
  };

  bucket = {
    options = {
      url = mkOption {
        type = types.strMatching "https?://[^/?@]+/[^/?]+(/[^?]*)?" // {
          description = "URL of a bucket, with a prefix where wanted";
        };
        example = "https://s3.example.org/backups/openbao";
        description = "Where the store is, the bucket, and what the names in it begin with.";
      };

      region = mkOption {
        type = types.strMatching "[A-Za-z0-9-]+" // {
          description = "name of a region";
        };
        default = "us-east-1";
        example = "eu-central-1";
        description = "The region of the bucket; stores of one's own mostly take the default.";
      };

      credentialsFile = mkOption {
        type = types.nullOr folder;
        default = null;
        example = "/run/secrets/s3-snapshots";
        description = ''
          The file with `aws_access_key_id = …` and `aws_secret_access_key = …`, a line each. The key needs the
          rights to list the bucket and to get, put and delete objects in it.
        '';
      };

      caCertificate = mkOption {
        type = types.nullOr folder;
        default = null;
        example = "/etc/s3-ca.pem";
        description = "The CA of the store; without it, the system's root certificates count.";
      };

      pathStyle = mkOption {
        type = types.bool;
        default = true;
        example = false;
        description = "Whether the bucket stands in the path of the URL, or before the host's name.";
      };
    };
  };

  count =
    default: what:
    mkOption {
      type = types.ints.unsigned;
      inherit default;
      example = 30;
      description = "How many ${what} stay.";
    };
in
{
  options.vault.snapshots = {
    enable = lib.mkEnableOption ''
      snapshots of an OpenBao cluster, taken, verified and pruned by this host. It need not run OpenBao itself; one
      host does it for a cluster'';

    address = mkOption {
      type = types.listOf types.str;
      default = lib.attrValues cfg.addresses;
      defaultText = lib.literalMD "the nodes of this host's cluster";
      example = [ "https://10.0.0.21:8200" ];
      description = "The addresses of all nodes: the active one takes the snapshot, whichever it is.";
    };

    caCertificate = mkOption {
      type = types.nullOr folder;
      default = cfg.caFile;
      defaultText = lib.literalMD "the CA of this host's cluster";
      example = "/etc/openbao-ca.pem";
      description = "The CA certificates that vouch for the nodes.";
    };

    auth = {
      method = mkOption {
        type = types.enum [
          "approle"
          "jwt"
          "kubernetes"
        ];
        default = "approle";
        example = "jwt";
        description = ''
          How it logs in. The policy needs `read` on `sys/storage/raft/snapshot`, and with a canary `create` and
          `update` on its path: `terraform/vault/snapshots.tf` makes both.
        '';
      };

      mount = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "approle-machines";
        description = "The mount of the auth method; by default the method's name.";
      };

      role = mkOption {
        type = types.str;
        default = "snapshots";
        example = "backup";
        description = "For `jwt` and `kubernetes`: the role.";
      };

      jwtFile = mkOption {
        type = types.nullOr folder;
        default = null;
        example = "/run/spire/openbao.jwt";
        description = "For `jwt` and `kubernetes`: the file with this workload's token.";
      };
    }
    // approle;

    directories = mkOption {
      type = types.listOf folder;
      default = [ ];
      example = [ "/srv/snapshots" ];
      description = "Folders that snapshots go to; they are made, for root alone.";
    };

    s3 = mkOption {
      type = types.attrsOf (types.submodule bucket);
      default = { };
      example = lib.literalExpression ''
        {
          offsite = {
            url = "https://s3.example.org/backups/openbao";
            credentialsFile = "/run/secrets/s3-snapshots";
          };
        }
      '';
      description = "Buckets that snapshots go to, of stores that know S3. Each place gets each snapshot.";
    };

    ageRecipients = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p" ];
      description = ''
        Whom snapshots are encrypted to, each of whom can read them, before they leave the host. OpenBao encrypts
        what is in them with the cluster's keys anyhow; this keeps it from those who have those keys, too.
      '';
    };

    signing = {
      keyFile = mkOption {
        type = types.nullOr folder;
        default = null;
        example = "/run/secrets/openbao-snapshots/signing-key";
        description = ''
          The file with the private key that signs each snapshot (Ed25519, PEM), as `openssl genpkey -algorithm
          ed25519` writes it. Whoever can write to the places then cannot forge a snapshot.
        '';
      };

      publicKeyFiles = mkOption {
        type = types.listOf folder;
        default = [ ];
        example = [ "/etc/openbao-snapshots.pub" ];
        description = ''
          Files with the public keys of which one must have signed a snapshot, as `openssl pkey -pubout` writes them.
          What none of them signed is neither tried by drills nor counted or removed by pruning. Empty: signatures
          are not looked at.
        '';
      };
    };

    canary = mkOption {
      type = types.nullOr (types.strMatching "[^/]+/.+");
      default = "secret/vault-snapshot/canary";
      example = "kv/backup/canary";
      description = ''
        The secret (mount of KV version 2, and path) that is written just before each snapshot, for drills to read
        from it. `null`: none.
      '';
    };

    sameDisk = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = "Be content with directories on the disk that OpenBao keeps its data on (`/var/lib/openbao`).";
    };

    schedule = mkOption {
      type = types.str;
      default = "hourly";
      example = "*:0/15";
      description = "When snapshots are taken (systemd.time(7)); one that was missed is made up for.";
    };

    patience = mkOption {
      type = types.str;
      default = "5min";
      example = "30min";
      description = "How long a snapshot is tried for while the cluster has no leader, or changes it.";
    };

    keep = {
      last = count 0 "of the newest";
      hourly = count 24 "hours, each with its newest snapshot,";
      daily = count 14 "days, each with its newest snapshot,";
      weekly = count 8 "weeks, each with its newest snapshot,";
      monthly = count 12 "months, each with its newest snapshot,";
    };

    drill = {
      enable = lib.mkEnableOption ''
        drills: the newest snapshot is restored into a throw-away OpenBao on this host, unsealed, and its canary
        read. A backup that was never restored is a hope'';

      schedule = mkOption {
        type = types.str;
        default = "weekly";
        example = "daily";
        description = "When (systemd.time(7)).";
      };

      package = mkOption {
        type = types.package;
        default = pkgs.openbao;
        defaultText = lib.literalExpression "pkgs.openbao";
        example = lib.literalExpression "pkgs.openbao.override { withUi = false; }";
        description = "The OpenBao that it restores into: as new as the cluster's.";
      };

      keyFiles = mkOption {
        type = types.listOf folder;
        default = [ ];
        example = [
          "/run/secrets/openbao-unseal-key-1"
          "/run/secrets/openbao-unseal-key-2"
          "/run/secrets/openbao-unseal-key-3"
        ];
        description = "Files with key shares of the cluster, enough to unseal it.";
      };

      sealConfigFile = mkOption {
        type = types.nullOr folder;
        default = null;
        example = "/run/secrets/openbao-seal.hcl";
        description = ''
          In place of key shares: a file of OpenBao's configuration with the `seal` of the cluster, where that is
          `static` (with the key itself as `current_key`). Seals that ask somebody over the network do not open here.
        '';
      };

      auditFolders = mkOption {
        type = types.listOf folder;
        default = [ "/var/log" ];
        example = [
          "/var/log"
          "/srv/audit"
        ];
        description = ''
          Folders that audit devices of the cluster write to, by their paths on the nodes: the throw-away OpenBao
          needs them to come up, and gets empty ones. They must exist on this host.
        '';
      };

      ageIdentityFiles = mkOption {
        type = types.listOf folder;
        default = [ ];
        example = [ "/run/secrets/snapshots-age" ];
        description = "Files with age identities, one of which opens encrypted snapshots.";
      };

      approle = {
        mount = mkOption {
          type = types.str;
          default = "approle";
          example = "approle-machines";
          description = "The mount of the AppRole auth method.";
        };
      }
      // approle;
    };
  };

  config = lib.mkIf (snapshots.enable || drill.enable) {
    systemd.tmpfiles.rules = map (path: "d ${path} 0700 root root") snapshots.directories;

    systemd.services.vault-snapshot = lib.mkIf snapshots.enable {
      description = "Take a snapshot of OpenBao";
      after = lib.optional cfg.enable "openbao.service" ++ [ "network-online.target" ];
      wants = [ "network-online.target" ];
      environment = {
        BAO_ADDR = lib.concatStringsSep "," snapshots.address;
      }
      // lib.optionalAttrs (snapshots.caCertificate != null) { BAO_CACERT = snapshots.caCertificate; };
      serviceConfig = hardening // {
        Type = "oneshot";
        # The second only where the first succeeded: what is missing somewhere is no time to remove.
        ExecStart = [
          (command save)
        ]
        ++ lib.optional (lib.any (n: n > 0) (lib.attrValues snapshots.keep)) (command prune);
        LoadCredential = loaded (
          bucketFiles
          // lib.optionalAttrs (snapshots.signing.keyFile != null) {
            signing-key = snapshots.signing.keyFile;
          }
          // (
            if snapshots.auth.method == "approle" then
              approleFiles snapshots.auth
            else
              { jwt = snapshots.auth.jwtFile; }
          )
        );
        StateDirectory = "vault-snapshot";
        CacheDirectory = "vault-snapshot";
        ReadWritePaths = snapshots.directories;
      };
    };

    systemd.timers.vault-snapshot = lib.mkIf snapshots.enable {
      description = "Snapshots of OpenBao";
      wantedBy = [ "timers.target" ];
      timerConfig = {
        OnCalendar = snapshots.schedule;
        Persistent = true;
      };
    };

    systemd.services.vault-snapshot-drill = lib.mkIf drill.enable {
      description = "Restore the newest snapshot of OpenBao for the try";
      after = [ "network-online.target" ];
      wants = [ "network-online.target" ];
      serviceConfig = import ../hardening.nix { memory = "75%"; } // {
        # What OpenBao takes depends on what is in the snapshot: what is left keeps the machine alive.
        Type = "oneshot";
        ExecStart = command tryOut;
        LoadCredential = loaded (
          bucketFiles
          // lib.optionalAttrs (snapshots.canary != null) (approleFiles drill.approle)
          // lib.listToAttrs (shares ++ identities)
          // lib.optionalAttrs (drill.sealConfigFile != null) { seal-config = drill.sealConfigFile; }
        );
        StateDirectory = "vault-snapshot";
        # What is restored lies on the disk for that time, as encrypted as in the cluster.
        CacheDirectory = "vault-snapshot-drill";
        CacheDirectoryMode = "0700";
        # Its server must reach nothing: of the network, where there are no buckets; else the program leaves it
        # when it has the snapshot, which takes namespaces of its own.
        PrivateNetwork = !hasBuckets;
        RestrictNamespaces =
          if hasBuckets then
            [
              "user"
              "net"
            ]
          else
            true;
        # No AF_UNIX: a network of its own keeps nobody from a database's socket in a folder.
        RestrictAddressFamilies = [
          "AF_INET"
          "AF_INET6"
          "AF_NETLINK"
        ];
        ReadOnlyPaths = snapshots.directories;
        # OpenBao does not come up where it cannot write to an audit device of the cluster, and must not write
        # to the real one.
        TemporaryFileSystem = map (path: "${path}:mode=0700") drill.auditFolders;
      };
    };

    systemd.timers.vault-snapshot-drill = lib.mkIf drill.enable {
      description = "Drills of restoring OpenBao";
      wantedBy = [ "timers.target" ];
      timerConfig = {
        OnCalendar = drill.schedule;
        Persistent = true;
      };
    };

    environment.systemPackages = [ cfg.package ];
  };
}
