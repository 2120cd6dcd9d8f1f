# Snapshots of a cluster, taken on one timer, and restored for a test on another.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  documentation = import ../unit-documentation.nix { inherit config lib; };
  inherit (lib) mkOption types;
  inherit (import ../types.nix { inherit lib; })
    absolutePath
    address
    ageRecipient
    apiPath
    calendar
    duration
    ;
  cfg = config.vault.server;
  inherit (config.vault) snapshots;
  inherit (snapshots) drill;
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

  saving = "/run/credentials/vault-snapshot.service";
  drilling = "/run/credentials/vault-snapshot-drill.service";

  # The settings that all commands of a unit share; `credentials` is the unit's directory of
  # credentials.
  shared = credentials: {
    inherit (snapshots) directories;
    s3 = lib.mapAttrsToList (name: bucket: {
      inherit (bucket) url region;
      credentials_file = "${credentials}/s3-${name}";
      ca_file = bucket.caCertificate;
      path_style = bucket.pathStyle;
    }) snapshots.s3;
    verification_key_files = snapshots.signing.publicKeyFiles;
  };

  saveSettings = shared saving // {
    save = {
      auth_method = snapshots.auth.method;
      auth_mount = snapshots.auth.mount;
      age_recipients = snapshots.ageRecipients;
      inherit (snapshots) canary;
      signing_key_file = if snapshots.signing.keyFile == null then null else "${saving}/signing-key";
      same_disk = snapshots.sameDisk;
      retry_timeout = snapshots.retryTimeout;
      metrics_file = "/var/lib/vault-snapshot/save.prom";
    }
    // (
      if snapshots.auth.method == "approle" then
        { approle_directory = saving; }
      else
        {
          inherit (snapshots.auth) role;
          jwt_file = "${saving}/jwt";
        }
    );
    prune = lib.mapAttrs' (name: lib.nameValuePair "keep_${name}") snapshots.keep;
  };

  shares = numbered "unseal-key" drill.keyFiles;
  identities = numbered "age-identity" drill.ageIdentityFiles;
  paths = map (file: "${drilling}/${file.name}");
  drillSettings = shared drilling // {
    age_identity_files = paths identities;
    drill = {
      unseal_key_files = paths shares;
      seal_config_file = if drill.sealConfigFile == null then null else "${drilling}/seal-config";
      without_canary = snapshots.canary == null;
      approle_directory = if snapshots.canary == null then null else drilling;
      approle_mount = drill.approle.mount;
      # The unit hides them.
      hidden_directories = [ ];
      bao_program = lib.getExe' drill.package "bao";
      metrics_file = "/var/lib/vault-snapshot/drill.prom";
    };
  };

  settingsFile = name: settings: pkgs.writeText "${name}.json" (builtins.toJSON settings);
  saveFile = settingsFile "vault-snapshot" snapshots.settings.save;
  drillFile = settingsFile "vault-snapshot-drill" snapshots.settings.drill;

  # Invalid settings fail the build, not the timer.
  checkSettings =
    name: file:
    pkgs.runCommand "check-${name}-settings" { } ''
      ${program} check-config ${file} > $out
    '';

  approle = {
    roleIdFile = mkOption {
      type = types.nullOr absolutePath;
      default = null;
      example = "/run/secrets/openbao-snapshots/role-id";
      description = "The file with the role id of the AppRole.";
    };

    secretIdFile = mkOption {
      type = types.nullOr absolutePath;
      default = null;
      example = "/run/secrets/openbao-snapshots/secret-id";
      description = "The file with a secret id of the AppRole.";
    };
  };

  bucket = {
    options = {
      url = mkOption {
        type = types.strMatching "https?://[^/?@]+/[^/?]+(/[^?]*)?" // {
          description = "URL of a bucket, with an optional prefix";
        };
        example = "https://s3.example.org/backups/openbao";
        description = "The URL of the store with the bucket and, optionally, the prefix of the objects' names.";
      };

      region = mkOption {
        type = types.strMatching "[A-Za-z0-9-]+" // {
          description = "name of a region";
        };
        default = "us-east-1";
        example = "eu-central-1";
        description = "The region of the bucket. Self-hosted stores mostly accept the default.";
      };

      credentialsFile = mkOption {
        type = types.nullOr absolutePath;
        default = null;
        example = "/run/secrets/s3-snapshots";
        description = ''
          The file with the lines `aws_access_key_id = …` and `aws_secret_access_key = …`. The key needs the
          permissions to list the bucket and to get, put and delete its objects.
        '';
      };

      caCertificate = mkOption {
        type = types.nullOr absolutePath;
        default = null;
        example = "/etc/s3-ca.pem";
        description = "The CA certificates of the store. With `null`, the system's root certificates are used.";
      };

      pathStyle = mkOption {
        type = types.bool;
        default = true;
        example = false;
        description = "Put the bucket into the path of the URL instead of the host name.";
      };
    };
  };

  count =
    default: what:
    mkOption {
      type = types.ints.unsigned;
      inherit default;
      example = 30;
      description = "The number of ${what} that are kept.";
    };
in
{
  options.vault.snapshots = {
    enable = lib.mkEnableOption ''
      snapshots of an OpenBao cluster, taken, verified and pruned by this host. The host need not run OpenBao; use
      one host for each cluster'';

    address = mkOption {
      type = types.listOf address;
      default = lib.attrValues cfg.addresses;
      defaultText = lib.literalMD "the nodes of this host's cluster";
      example = [ "https://10.0.0.21:8200" ];
      description = "The addresses of all nodes. The active node takes the snapshot.";
    };

    caCertificate = mkOption {
      type = types.nullOr absolutePath;
      default = cfg.caFile;
      defaultText = lib.literalMD "the CA of this host's cluster";
      example = "/etc/openbao-ca.pem";
      description = "The CA certificates that signed the nodes' certificates (PEM).";
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
          The auth method. The policy needs `read` on `sys/storage/raft/snapshot` and, with a canary, `create` and
          `update` on its path: `terraform/vault/snapshots.tf` makes both.
        '';
      };

      mount = mkOption {
        type = types.nullOr apiPath;
        default = null;
        example = "approle-machines";
        description = "The mount of the auth method. The default is the method's name.";
      };

      role = mkOption {
        type = types.str;
        default = "snapshots";
        example = "backup";
        description = "The role, for `jwt` and `kubernetes`.";
      };

      jwtFile = mkOption {
        type = types.nullOr absolutePath;
        default = null;
        example = "/run/spire/openbao.jwt";
        description = "The file with this workload's token, for `jwt` and `kubernetes`.";
      };
    }
    // approle;

    directories = mkOption {
      type = types.listOf absolutePath;
      default = [ ];
      example = [ "/srv/snapshots" ];
      description = "Directories for snapshots. They are created, with access for root only.";
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
      description = "Buckets for snapshots, in stores with the S3 API. Each place gets each snapshot.";
    };

    ageRecipients = mkOption {
      type = types.listOf ageRecipient;
      default = [ ];
      example = [ "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p" ];
      description = ''
        The age recipients of snapshots. They are encrypted before they leave the host, and each recipient can
        decrypt them. OpenBao encrypts their contents with the cluster's keys in any case; this also protects them
        from people with those keys.
      '';
    };

    signing = {
      keyFile = mkOption {
        type = types.nullOr absolutePath;
        default = null;
        example = "/run/secrets/openbao-snapshots/signing-key";
        description = ''
          The file with the private key that signs each snapshot (Ed25519, PEM), as `openssl genpkey -algorithm
          ed25519` writes it. An attacker who can write to the places cannot forge a signed snapshot.
        '';
      };

      publicKeyFiles = mkOption {
        type = types.listOf absolutePath;
        default = [ ];
        example = [ "/etc/openbao-snapshots.pub" ];
        description = ''
          The files with public keys, as `openssl pkey -pubout` writes them. One of the keys must have signed a
          snapshot: drills do not use other snapshots, and pruning neither counts nor removes them. If the list is
          empty, signatures are not checked.
        '';
      };
    };

    canary = mkOption {
      type = types.nullOr (types.strMatching "[^/]+/.+");
      default = "secret/vault-snapshot/canary";
      example = "kv/backup/canary";
      description = ''
        The secret that is written just before each snapshot and read by drills: mount of KV version 2, and path.
        With `null` there is none.
      '';
    };

    sameDisk = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = "Allow directories on the disk with OpenBao's data (`/var/lib/openbao`).";
    };

    schedule = mkOption {
      type = calendar;
      default = "hourly";
      example = "*:0/15";
      description = "The schedule of snapshots (systemd.time(7)). A missed one is taken at the next boot.";
    };

    retryTimeout = mkOption {
      type = duration;
      default = "5min";
      example = "30min";
      description = "The time in which a failed snapshot is retried, such as while the cluster elects a leader.";
    };

    keep = {
      last = count 0 "newest snapshots";
      hourly = count 24 "hours whose newest snapshot is among those";
      daily = count 14 "days whose newest snapshot is among those";
      weekly = count 8 "weeks whose newest snapshot is among those";
      monthly = count 12 "months whose newest snapshot is among those";
    };

    settings = mkOption {
      type = types.attrsOf types.attrs;
      internal = true;
      readOnly = true;
      default = {
        save = saveSettings;
        drill = drillSettings;
      };
      description = "The settings files of the units.";
    };

    drill = {
      enable = lib.mkEnableOption ''
        drills: the newest snapshot is restored into a temporary OpenBao on this host, unsealed, and its canary is
        read'';

      schedule = mkOption {
        type = calendar;
        default = "weekly";
        example = "daily";
        description = "The schedule of drills (systemd.time(7)).";
      };

      package = mkOption {
        type = types.package;
        default = pkgs.openbao;
        defaultText = lib.literalExpression "pkgs.openbao";
        example = lib.literalExpression "pkgs.openbao.override { withUi = false; }";
        description = "The package of the temporary OpenBao. Use the cluster's version.";
      };

      keyFiles = mkOption {
        type = types.listOf absolutePath;
        default = [ ];
        example = [
          "/run/secrets/openbao-unseal-key-1"
          "/run/secrets/openbao-unseal-key-2"
          "/run/secrets/openbao-unseal-key-3"
        ];
        description = "The files with key shares of the cluster, enough to unseal it.";
      };

      sealConfigFile = mkOption {
        type = types.nullOr absolutePath;
        default = null;
        example = "/run/secrets/openbao-seal.hcl";
        description = ''
          The file of OpenBao's configuration with the `seal` of the cluster, instead of key shares, for a `static`
          seal (with the key itself as `current_key`). Seals that need the network do not work in a drill.
        '';
      };

      auditDirectories = mkOption {
        type = types.listOf absolutePath;
        default = [ "/var/log" ];
        example = [
          "/var/log"
          "/srv/audit"
        ];
        description = ''
          The directories of the cluster's audit devices, by their paths on the nodes. The temporary OpenBao needs
          them to start, and gets empty ones. They must exist on this host.
        '';
      };

      ageIdentityFiles = mkOption {
        type = types.listOf absolutePath;
        default = [ ];
        example = [ "/run/secrets/snapshots-age" ];
        description = "The files with age identities, one of which decrypts the snapshots.";
      };

      approle = {
        mount = mkOption {
          type = apiPath;
          default = "approle";
          example = "approle-machines";
          description = "The mount of the AppRole auth method.";
        };
      }
      // approle;
    };
  };

  config = lib.mkIf (snapshots.enable || drill.enable) {
    vault.calendars =
      lib.optional snapshots.enable snapshots.schedule ++ lib.optional drill.enable drill.schedule;

    systemd.tmpfiles.rules = map (path: "d ${path} 0700 root root") snapshots.directories;

    systemd.services.vault-snapshot = lib.mkIf snapshots.enable {
      description = "Take a snapshot of OpenBao";
      documentation = documentation "vault-snapshot-save(1)" "how-to/snapshots";
      after = lib.optional cfg.enable "openbao.service" ++ [ "network-online.target" ];
      wants = [ "network-online.target" ];
      environment = {
        BAO_ADDR = lib.concatStringsSep "," snapshots.address;
      }
      // lib.optionalAttrs (snapshots.caCertificate != null) { BAO_CACERT = snapshots.caCertificate; };
      serviceConfig = hardening // {
        Type = "oneshot";
        # `prune` runs only after `save` succeeded at every place.
        ExecStart = [
          "${program} save --config=${saveFile}"
        ]
        ++ lib.optional (lib.any (n: n > 0) (
          lib.attrValues snapshots.keep
        )) "${program} prune --config=${saveFile}";
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
      description = "Restore the newest snapshot of OpenBao as a test";
      documentation = documentation "vault-snapshot-drill(1)" "how-to/snapshots";
      after = [ "network-online.target" ];
      wants = [ "network-online.target" ];
      serviceConfig = import ../hardening.nix { memory = "75%"; } // {
        # OpenBao's memory depends on the snapshot; the limit keeps the machine responsive.
        Type = "oneshot";
        ExecStart = "${program} drill --config=${drillFile}";
        LoadCredential = loaded (
          bucketFiles
          // lib.optionalAttrs (snapshots.canary != null) (approleFiles drill.approle)
          // lib.listToAttrs (shares ++ identities)
          // lib.optionalAttrs (drill.sealConfigFile != null) { seal-config = drill.sealConfigFile; }
        );
        StateDirectory = "vault-snapshot";
        # The restored data is on the disk for that time, encrypted as in the cluster.
        CacheDirectory = "vault-snapshot-drill";
        CacheDirectoryMode = "0700";
        # Its server must reach nothing. Without buckets the unit has no network; with buckets the
        # program leaves the network once it has the snapshot, which needs namespaces.
        PrivateNetwork = !hasBuckets;
        RestrictNamespaces =
          if hasBuckets then
            [
              "user"
              "net"
            ]
          else
            true;
        # No AF_UNIX: a network namespace does not block a database's socket in a directory.
        RestrictAddressFamilies = [
          "AF_INET"
          "AF_INET6"
          "AF_NETLINK"
        ];
        ReadOnlyPaths = snapshots.directories;
        # OpenBao does not start if it cannot write to an audit device of the cluster, and must not
        # write to the real one.
        TemporaryFileSystem = map (path: "${path}:mode=0700") drill.auditDirectories;
      };
    };

    systemd.timers.vault-snapshot-drill = lib.mkIf drill.enable {
      description = "Drills of OpenBao's snapshots";
      wantedBy = [ "timers.target" ];
      timerConfig = {
        OnCalendar = drill.schedule;
        Persistent = true;
      };
    };

    environment.systemPackages = [ cfg.package ];
    # A build for another platform cannot run the program.
    system.checks = lib.optionals (pkgs.stdenv.buildPlatform.canExecute pkgs.stdenv.hostPlatform) (
      lib.optional snapshots.enable (checkSettings "vault-snapshot" saveFile)
      ++ lib.optional drill.enable (checkSettings "vault-snapshot-drill" drillFile)
    );
  };
}
