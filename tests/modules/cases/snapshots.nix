# Snapshots of a cluster, and drills.
{ lib, ... }:
let
  snapshots = settings: {
    vault.enable = false;
    vault.snapshots = lib.mkMerge [
      {
        enable = true;
        address = [ "https://bao1:8200" ];
        directories = [ "/srv/snapshots" ];
        auth.roleIdFile = "/run/secrets/role-id";
        auth.secretIdFile = "/run/secrets/secret-id";
      }
      settings
    ];
  };
  drill =
    settings:
    snapshots (
      lib.mkMerge [
        {
          drill = {
            enable = true;
            keyFiles = lib.mkDefault [ "/run/secrets/key" ];
            approle.roleIdFile = "/run/secrets/drill/role-id";
            approle.secretIdFile = "/run/secrets/drill/secret-id";
          };
        }
        settings
      ]
    );
  offsite = {
    url = "https://s3.example.org/backups/100%";
    credentialsFile = "/run/secrets/s3";
  };
  age = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
  settings = config: config.vault.snapshots.settings;
in
{
  "into a folder" = {
    config = snapshots { };
    holds = config: {
      "that it is taken and pruned" =
        lib.length config.systemd.services.vault-snapshot.serviceConfig.ExecStart == 2
        && (settings config).save.prune.keep_daily == 14;
      "the folder, and no other" =
        config.systemd.services.vault-snapshot.serviceConfig.ReadWritePaths == [ "/srv/snapshots" ];
      "that it is hourly" = config.systemd.timers.vault-snapshot.timerConfig.OnCalendar == "hourly";
      "no drill" = !(config.systemd.services ? vault-snapshot-drill);
    };
  };
  "into a bucket" = {
    config = snapshots {
      directories = lib.mkForce [ ];
      s3 = { inherit offsite; };
    };
    holds = config: {
      "that the key comes as a credential" =
        (lib.head (settings config).save.s3).credentials_file
        == "/run/credentials/vault-snapshot.service/s3-offsite"
        && lib.elem "s3-offsite:/run/secrets/s3" config.systemd.services.vault-snapshot.serviceConfig.LoadCredential;
      "the URL as it is" = (lib.head (settings config).save.s3).url == offsite.url;
    };
  };
  "a node of a cluster knows where to ask" = {
    config.vault = {
      enable = false;
      snapshots = {
        enable = true;
        directories = [ "/srv/snapshots" ];
        auth.roleIdFile = "/run/secrets/role-id";
        auth.secretIdFile = "/run/secrets/secret-id";
      };
      server = {
        enable = true;
        cluster.main.nodes.web01.host = "10.0.0.1";
      };
    };
    holds = config: {
      "its address" =
        config.systemd.services.vault-snapshot.environment.BAO_ADDR == "https://10.0.0.1:8200";
      "its CA" =
        config.systemd.services.vault-snapshot.environment.BAO_CACERT == "/var/lib/openbao-certs/ca.pem";
    };
  };
  "a drill from a folder" = {
    config = drill { };
    holds = config: {
      "that it has no network" =
        config.systemd.services.vault-snapshot-drill.serviceConfig.PrivateNetwork;
      "that the drill's server comes to no socket in a folder" =
        !lib.elem "AF_UNIX" config.systemd.services.vault-snapshot-drill.serviceConfig.RestrictAddressFamilies;
    };
  };
  "a drill from a bucket" = {
    config = drill { s3 = { inherit offsite; }; };
    holds = config: {
      "that it may leave the network" =
        config.systemd.services.vault-snapshot-drill.serviceConfig.RestrictNamespaces == [
          "user"
          "net"
        ];
    };
  };
  "signed ones" = {
    config = drill {
      signing.keyFile = "/run/secrets/signing-key";
      signing.publicKeyFiles = [ "/etc/snapshots.pub" ];
    };
    holds =
      config:
      let
        inherit (config.systemd) services;
        save = services.vault-snapshot.serviceConfig;
        isVerified = file: file.verification_key_files == [ "/etc/snapshots.pub" ];
      in
      {
        "that the key comes as a credential" =
          (settings config).save.save.signing_key_file
          == "/run/credentials/vault-snapshot.service/signing-key"
          && lib.elem "signing-key:/run/secrets/signing-key" save.LoadCredential;
        "that only signed ones are counted by prune" = isVerified (settings config).save;
        "that only signed ones are tried" =
          isVerified (settings config).drill
          && !lib.any (lib.hasPrefix "signing-key:") services.vault-snapshot-drill.serviceConfig.LoadCredential;
      };
  };
  "signatures that nothing makes" = {
    config = snapshots { signing.publicKeyFiles = [ "/etc/snapshots.pub" ]; };
    failed = [
      "vault.snapshots.signing.publicKeyFiles asks for signatures, and vault.snapshots.signing.keyFile, which would make them, is not set."
    ];
  };
  "signatures that nothing verifies" = {
    config = snapshots { signing.keyFile = "/run/secrets/signing-key"; };
    warned = [
      "vault.snapshots.signing.keyFile signs snapshots, and without vault.snapshots.signing.publicKeyFiles nothing verifies it."
    ];
  };
  "no place" = {
    config = snapshots { directories = lib.mkForce [ ]; };
    failed = [
      "vault.snapshots has no place for snapshots: set vault.snapshots.directories or vault.snapshots.s3."
    ];
  };
  "a bucket without a key" = {
    config = snapshots { s3.offsite.url = "https://s3.example.org/backups"; };
    failed = [ "vault.snapshots.s3.offsite.credentialsFile is not set." ];
  };
  "no address" = {
    config = snapshots { address = lib.mkForce [ ]; };
    failed = [
      "vault.snapshots.address is not set, and this host is not a node of a cluster."
    ];
  };
  "an AppRole without its secret id" = {
    config = snapshots { auth.secretIdFile = lib.mkForce null; };
    failed = [
      "vault.snapshots.auth.method is `approle`, which needs vault.snapshots.auth.roleIdFile and secretIdFile."
    ];
  };
  "a workload without its token" = {
    config = snapshots { auth.method = "kubernetes"; };
    failed = [
      "vault.snapshots.auth.method is `kubernetes`, which needs vault.snapshots.auth.jwtFile."
    ];
  };
  "a drill that nothing unseals" = {
    config = drill { drill.keyFiles = [ ]; };
    failed = [
      "vault.snapshots.drill needs keyFiles or sealConfigFile, one of them, to unseal the restored snapshot."
    ];
  };
  "a drill that cannot read the canary" = {
    config = drill { drill.approle.secretIdFile = lib.mkForce null; };
    failed = [
      "vault.snapshots.drill reads the canary, which needs vault.snapshots.drill.approle.roleIdFile and secretIdFile."
    ];
  };
  "a drill that cannot decrypt" = {
    config = drill { ageRecipients = [ age ]; };
    failed = [
      "vault.snapshots.ageRecipients encrypts snapshots, and vault.snapshots.drill.ageIdentityFiles has no identity for them."
    ];
  };
  "nothing is kept in particular" = {
    config = snapshots {
      keep = lib.mapAttrs (_: _: 0) {
        hourly = 0;
        daily = 0;
        weekly = 0;
        monthly = 0;
      };
    };
    warned = [ "vault.snapshots.keep keeps nothing in particular: no snapshot is ever removed." ];
  };
  "a drill without a canary" = {
    config = drill { canary = null; };
    warned = [
      "vault.snapshots.canary is null: drills unseal the restored snapshot, and read nothing."
    ];
  };
}
