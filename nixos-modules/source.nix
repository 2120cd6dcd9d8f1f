# `vault.secrets.<name>.source`: the engine of a secret that is not in the KV engine.
{ lib }:
let
  inherit (lib) mkOption types;
  inherit (import ./types.nix { inherit lib; }) absolutePath apiPath;

  mount =
    engine:
    mkOption {
      type = apiPath;
      default = engine;
      example = "${engine}-web";
      description = "The mount of the engine.";
    };

  role =
    example: description:
    mkOption {
      type = types.strMatching "[^/[:cntrl:]]+" // {
        description = "name of a role";
      };
      inherit example description;
    };

  ttl = mkOption {
    type = types.nullOr (import ./types.nix { inherit lib; }).ttl;
    default = null;
    example = "720h";
    description = ''
      The time for which the certificate is valid. With `null` it is the role's. OpenBao shortens a
      time that the role does not allow.
    '';
  };

  name = types.strMatching "[^[:cntrl:][:space:],]+" // {
    description = "name of a host";
  };

  tag =
    example: description: options:
    mkOption {
      type = types.submodule {
        _file = ./source.nix;
        inherit options;
      };
      inherit description;
      example = lib.literalExpression example;
    };

  engines = types.attrTag {
    read =
      tag ''{ path = "ssh/config/ca"; }''
        ''
          A read of any engine that gives no lease, such as the public key of an SSH CA. Each key of the
          answer's data becomes a file.
        ''
        {
          path = mkOption {
            type = apiPath;
            example = "ssh/config/ca";
            description = "The path in OpenBao's API, with the mount.";
          };
        };

    databaseStatic =
      tag ''{ role = "app"; }''
        ''
          The user of a static role of the database engine: files `username` and `password`. OpenBao changes
          the password on its own schedule; the host deploys the new one as it does a new version.
        ''
        {
          mount = mount "database";
          role = role "app" "The static role.";
        };

    pki =
      tag ''{ role = "web"; commonName = "web01.example.org"; }''
        ''
          A certificate of the PKI engine. The host makes the key, which never leaves it. When two thirds of
          the certificate's time are over, it makes a new key and asks for a new certificate. The files are
          those of `security.acme`: `key.pem`, `cert.pem`, `chain.pem`, `fullchain.pem`, `full.pem` (with the
          key), and `ca.pem` for clients.
        ''
        {
          mount = mount "pki";
          role = role "web" "The role, with `key_type` `ec` or `any`.";
          commonName = mkOption {
            type = name;
            example = "web01.example.org";
            description = "The common name, which is one of the certificate's names, too.";
          };
          altNames = mkOption {
            type = types.listOf (
              types.strMatching "[^[:cntrl:][:space:],]+" // { description = "name or IP address"; }
            );
            default = [ ];
            example = [
              "www.example.org"
              "10.0.0.11"
            ];
            description = "The other host names and the IP addresses of the certificate.";
          };
          inherit ttl;
        };

    ssh =
      tag ''{ role = "host"; principals = [ "web01.example.org" ]; }''
        ''
          A certificate of the SSH engine for the host's key, so that clients which trust the CA need no
          list of hosts. The file is `cert.pub`, for `HostCertificate` of sshd. It is renewed as that of `pki`.
        ''
        {
          mount = mount "ssh";
          role = role "host" "The role, with `allow_host_certificates`.";
          publicKey = mkOption {
            type = absolutePath;
            default = "/etc/ssh/ssh_host_ed25519_key.pub";
            example = "/persist/etc/ssh/ssh_host_ed25519_key.pub";
            description = "The public key of the host. The fetch waits for `sshd-keygen.service`, which makes it.";
          };
          principals = mkOption {
            type = types.nonEmptyListOf name;
            example = [ "web01.example.org" ];
            description = "The names by which clients reach the host.";
          };
          inherit ttl;
        };
  };
in
{
  type = engines // {
    description = "one of `read`, `databaseStatic`, `pki` and `ssh`";
  };

  # The path of the request in OpenBao's API.
  pathOf =
    source:
    if source ? read then
      source.read.path
    else if source ? databaseStatic then
      "${source.databaseStatic.mount}/static-creds/${source.databaseStatic.role}"
    else if source ? ssh then
      "${source.ssh.mount}/sign/${source.ssh.role}"
    else
      "${source.pki.mount}/sign/${source.pki.role}";

  # As `vault-secrets` and `vault-plan` take it.
  declared =
    source:
    if source ? read then
      "read"
    else if source ? databaseStatic then
      "database_static"
    else if source ? ssh then
      {
        ssh = {
          public_key = source.ssh.publicKey;
          inherit (source.ssh) principals ttl;
        };
      }
    else
      {
        pki = {
          common_name = source.pki.commonName;
          alt_names = source.pki.altNames;
          inherit (source.pki) ttl;
        };
      };

  # As `vault-fetch` takes it: the flags with their values.
  flags =
    source:
    let
      each =
        flag:
        map (value: [
          flag
          value
        ]);
    in
    if source ? read then
      each "source" [ "read" ]
    else if source ? databaseStatic then
      each "source" [ "database-static" ]
    else if source ? ssh then
      each "source" [ "ssh" ]
      ++ each "public-key" [ source.ssh.publicKey ]
      ++ each "principal" source.ssh.principals
      ++ each "ttl" (lib.optional (source.ssh.ttl != null) source.ssh.ttl)
    else
      each "source" [ "pki" ]
      ++ each "common-name" [ source.pki.commonName ]
      ++ each "alt-name" source.pki.altNames
      ++ each "ttl" (lib.optional (source.pki.ttl != null) source.pki.ttl);

  # Returns whether the secret ends by itself, and so has to be replaced.
  ends = source: source != null && !(source ? read);
}
